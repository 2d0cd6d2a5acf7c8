import { Send } from "lucide-react";
import { type KeyboardEvent, useRef } from "react";
import { useAction } from "../../actions/registry";
import { Button } from "../../components/Button";
import { TextField } from "../../components/fields";
import type { RunView } from "../../ipc/bindings";
import { useCallMutation } from "../../queries/call";
import { canResume } from "../../queries/run-words";
import { useWhyNot } from "../../stores/connection";
import { PlaceLink } from "../../stores/navigation";
import { toast, toastError } from "../../stores/toasts";
import styles from "./RunRoom.module.css";
import { useDraft } from "./run-state";

/** A word to the agent, at any time: it is heard with the next model call. */
export function MessageBox({ run, view }: { run: string; view: RunView | undefined }) {
  const [text, setText] = useDraft(run);
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  const lost = useWhyNot();
  const send = useCallMutation("message", {
    onError: (error) => toastError("The message was not sent", error),
  });
  const resume = useCallMutation("resume", {
    onError: (error) => toastError("The run could not be resumed", error),
  });
  useAction("run.message", () => field.current?.focus());

  const state = view?.state;
  const rests = state !== undefined && canResume(state);
  const why = lost ?? (view ? undefined : "The run is not read yet");

  const say = async (goOn: boolean) => {
    const words = text.trim();
    if (!words || why || send.isPending) return;
    try {
      await send.mutateAsync({ run, text: words });
      setText("");
      if (goOn) await resume.mutateAsync({ runs: { one: run } });
      toast({
        tone: "good",
        title: goOn ? "Sent and resumed" : "Sent",
        detail: goOn ? undefined : "The agent hears it with its next model call.",
        about: "message",
      });
    } catch {
      // Each change has said what failed; what was not sent is still in the box.
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void say(rests);
  };

  if (view && (state === "completed" || state === "cancelled")) {
    const search = { project: view.project, backend: view.backend };
    return (
      <p className={styles.nobody}>
        The run is {state}: nobody hears it any more.{" "}
        <PlaceLink to={{ room: "new", search }}>Start a new run</PlaceLink> in its project with what
        you want to say, or fork it from a checkpoint.
      </p>
    );
  }
  return (
    <form
      className={styles.message}
      aria-label="Message to the agent"
      onKeyDown={onKeyDown}
      onSubmit={(event) => {
        event.preventDefault();
        void say(rests);
      }}
    >
      <TextField
        label="Message to the agent"
        labelHidden
        inputRef={field}
        rows={Math.min(10, Math.max(1, text.split("\n").length))}
        value={text}
        onChange={setText}
        placeholder={
          rests
            ? "Say something, then resume"
            : "Say something; it is heard with the next model call"
        }
      />
      {rests && (
        <Button onPress={() => void say(false)} why={why} isDisabled={Boolean(why) || !text.trim()}>
          Send only
        </Button>
      )}
      <Button
        look="primary"
        type="submit"
        keys="mod+enter"
        why={why}
        isDisabled={Boolean(why) || !text.trim() || send.isPending}
        icon={<Send size={16} />}
      >
        {rests ? "Send and resume" : "Send"}
      </Button>
    </form>
  );
}

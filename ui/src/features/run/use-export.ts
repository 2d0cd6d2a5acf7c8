import { useState } from "react";
import { plural } from "../../lib/numbers";
import { useLink } from "../../queries/link";
import { toast, toastError } from "../../stores/toasts";

const PAGE = 1000;

/** The whole journal as a file, one event a line, read a page at a time. */
export function useExport(run: string): { start: () => void; progress: number | null } {
  const { transport } = useLink();
  const [progress, setProgress] = useState<number | null>(null);

  const save = async () => {
    const lines: string[] = [];
    let after: number | null = 0;
    setProgress(0);
    while (after !== null) {
      const page: Awaited<ReturnType<typeof transport.call<"logs">>> = await transport.call(
        "logs",
        { run, after, limit: PAGE },
      );
      for (const entry of page.entries) lines.push(JSON.stringify(entry));
      setProgress(lines.length);
      after = page.entries.length > 0 ? page.next : null;
    }
    const name = `run-${run.slice(-8)}.jsonl`;
    const text = `${lines.join("\n")}\n`;
    const saved = transport.native
      ? await transport.native.saveText(name, text)
      : download(name, text);
    if (saved) {
      toast({ tone: "good", title: `Exported ${plural(lines.length, "event")}`, detail: name });
    }
  };

  const start = () => {
    save()
      .catch((error: unknown) => toastError("The journal could not be exported", error))
      .finally(() => setProgress(null));
  };
  return { start, progress };
}

function download(name: string, text: string): boolean {
  const url = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return true;
}

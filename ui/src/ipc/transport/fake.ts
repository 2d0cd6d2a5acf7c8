import { CallError } from "../errors";
import type {
  EndpointName,
  Native,
  RequestOf,
  ResponseOf,
  StreamItem,
  Transport,
} from "./transport";

type Answer<N extends EndpointName> =
  | ResponseOf<N>
  | ((request: RequestOf<N>) => ResponseOf<N> | Promise<ResponseOf<N>>);

export type Script = { [N in EndpointName]?: Answer<N> };

export interface FakeCall {
  name: EndpointName;
  request: unknown;
}

/** A daemon made of a script: what it answers, what it was asked, and a stream one can push into. */
export interface FakeTransport extends Transport {
  readonly calls: FakeCall[];
  /** The requests of one endpoint, oldest first. */
  requests<N extends EndpointName>(name: N): RequestOf<N>[];
  /** Changes what an endpoint answers from now on. */
  answer<N extends EndpointName>(name: N, answer: Answer<N>): void;
  /** Sends items to whoever listens to the stream. */
  push(...items: StreamItem[]): void;
  /** Cuts the stream, as a daemon that dies does. */
  cut(): void;
  /** Refuses new streams (and calls) until `true` again. */
  setReachable(reachable: boolean): void;
  /** Where each stream asked to continue. */
  readonly subscriptions: (string | null)[];
}

function gone(): CallError {
  return new CallError({
    code: "unreachable",
    message: "The daemon cannot be reached: connection refused",
    hint: "Longhaul tries again by itself.",
  });
}

export function fakeTransport(script: Script, native: Native | null = null): FakeTransport {
  const answers = new Map<EndpointName, unknown>(
    Object.entries(script) as [EndpointName, unknown][],
  );
  const calls: FakeCall[] = [];
  const subscriptions: (string | null)[] = [];
  const listeners = new Map<(items: StreamItem[]) => void, (error?: CallError) => void>();
  let reachable = true;

  return {
    kind: "fake",
    native,
    calls,
    subscriptions,

    async call<N extends EndpointName>(name: N, request: RequestOf<N>) {
      calls.push({ name, request });
      if (!reachable) throw gone();
      const answer = answers.get(name);
      if (answer === undefined) {
        throw new CallError({
          code: "not_found",
          message: `The fake daemon has no answer for ${name}`,
          hint: "Add it to the test's script.",
        });
      }
      if (typeof answer !== "function") return answer as ResponseOf<N>;
      return await (answer as (request: RequestOf<N>) => ResponseOf<N>)(request);
    },

    events(after, _run, onItems, signal) {
      subscriptions.push(after);
      if (!reachable) return Promise.reject(gone());
      return new Promise<void>((resolve, reject) => {
        const leave = (error?: CallError) => {
          listeners.delete(onItems);
          error ? reject(error) : resolve();
        };
        listeners.set(onItems, leave);
        signal.addEventListener("abort", () => leave(), { once: true });
        onItems([{ type: "hello", cursor: after ?? "s.0" }]);
      });
    },

    requests<N extends EndpointName>(name: N) {
      return calls.filter((c) => c.name === name).map((c) => c.request as RequestOf<N>);
    },
    answer(name, answer) {
      answers.set(name, answer);
    },
    push(...items) {
      for (const onItems of [...listeners.keys()]) onItems(items);
    },
    cut() {
      for (const leave of [...listeners.values()]) leave(gone());
    },
    setReachable(value) {
      reachable = value;
    },
  };
}

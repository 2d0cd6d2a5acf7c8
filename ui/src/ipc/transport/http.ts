import type { Delta, EventFrame, Hello } from "../bindings";
import { asCallError, CallError, unreachable } from "../errors";
import { type SseMessage, sseParser } from "./sse";
import type { EndpointName, RequestOf, ResponseOf, StreamItem, Transport } from "./transport";

const TOKEN_KEY = "longhaul.token";
/** The daemon says every 15 s that it lives; three times that in silence is a dead connection. */
const SILENCE_MS = 45_000;

/** Takes the token out of the address (`#token=…`) so that it is in no history and no screenshot. */
export function takeToken(): string | null {
  const match = /[#&]token=([^&]+)/.exec(window.location.hash);
  if (match?.[1]) {
    sessionStorage.setItem(TOKEN_KEY, decodeURIComponent(match[1]));
    window.history.replaceState(null, "", `${window.location.pathname}#/`);
  }
  return sessionStorage.getItem(TOKEN_KEY);
}

function toItem(message: SseMessage): StreamItem {
  if (message.event === "hello") {
    return { type: "hello", cursor: (JSON.parse(message.data) as Hello).cursor };
  }
  if (message.event === "delta") {
    return { type: "delta", delta: JSON.parse(message.data) as Delta };
  }
  return { type: "event", frame: JSON.parse(message.data) as EventFrame };
}

async function failure(response: Response): Promise<CallError> {
  if (response.status === 401) {
    return new CallError({
      code: "credential",
      message: "This page's key to the daemon is missing or no longer valid.",
      hint: "Open it again by the address the daemon printed when it began to listen.",
    });
  }
  try {
    return asCallError(await response.json());
  } catch {
    return unreachable(`it answered ${response.status}`);
  }
}

export function httpTransport(base: string, token: string | null): Transport {
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};

  const request = async (path: string, init: RequestInit): Promise<Response> => {
    let response: Response;
    try {
      response = await fetch(`${base}${path}`, init);
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw unreachable("no answer on its address");
    }
    return response;
  };

  return {
    kind: "http",
    native: null,

    async call<N extends EndpointName>(name: N, body: RequestOf<N>, signal?: AbortSignal) {
      const response = await request(`/v1/${name}`, {
        method: "POST",
        headers: { ...headers, "Content-Type": "application/json" },
        body: JSON.stringify(body),
        signal: signal ?? null,
      });
      if (!response.ok) throw await failure(response);
      return (await response.json()) as ResponseOf<N>;
    },

    async events(after, run, onItems, signal) {
      const query = new URLSearchParams();
      if (after) query.set("after", after);
      if (run) query.set("run", run);
      const silence = new AbortController();
      const stop = AbortSignal.any([signal, silence.signal]);
      const response = await request(`/v1/events?${query}`, { headers, signal: stop });
      if (response.status === 410) return onItems([{ type: "resync" }]);
      if (!response.ok) throw await failure(response);
      if (!response.body) throw unreachable("it sent no stream");
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parse = sseParser();
      for (;;) {
        const timer = setTimeout(() => silence.abort(), SILENCE_MS);
        const { done, value } = await reader.read().finally(() => clearTimeout(timer));
        if (done) return;
        const items = parse(value).map(toItem);
        if (items.length > 0) onItems(items);
      }
    },
  };
}

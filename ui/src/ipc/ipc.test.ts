import { afterEach, describe, expect, test, vi } from "vitest";
import { aDelta, aFrame } from "../test/fixtures";
import type { EventFrame } from "./bindings";
import { DeltaStore } from "./deltas";
import { asCallError } from "./errors";
import { type Connection, startEvents } from "./events";
import { fakeTransport } from "./transport/fake";
import { httpTransport, takeToken } from "./transport/http";
import { sseParser } from "./transport/sse";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function listening() {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "requestAnimationFrame", "Date"] });
  const daemon = fakeTransport({});
  const deltas = new DeltaStore();
  const batches: EventFrame[][] = [];
  const connections: Connection[] = [];
  const onResync = vi.fn();
  const stream = startEvents(daemon, deltas, {
    onFrames: (frames) => batches.push(frames),
    onResync,
    onConnection: (connection) => connections.push(connection),
  });
  return { daemon, deltas, batches, connections, onResync, stream };
}

describe("the event stream", () => {
  test("events of one frame arrive as one batch, in order", async () => {
    const { daemon, batches, stream } = listening();
    for (let i = 1; i <= 500; i++) {
      daemon.push(aFrame("r", { kind: "noted", text: `${i}` }, { seq: i }));
    }
    expect(batches).toEqual([]);
    await vi.advanceTimersByTimeAsync(120);
    expect(batches.map((b) => b.length)).toEqual([500]);
    expect(batches[0]?.map((f) => f.entry.seq)).toEqual(
      Array.from({ length: 500 }, (_, i) => i + 1),
    );
    stream.stop();
  });

  test("a cut connection continues after the last event, with growing pauses", async () => {
    const { daemon, connections, stream } = listening();
    const item = aFrame("r", { kind: "noted", text: "last" });
    daemon.push(item);
    daemon.setReachable(false);
    daemon.cut();
    await vi.advanceTimersByTimeAsync(500 + 1000);
    const lost = connections.filter((c) => c.state === "lost");
    expect(lost.length).toBe(3);
    expect(new Set(lost.map((c) => c.state === "lost" && c.since)).size).toBe(1);
    daemon.setReachable(true);
    stream.retryNow();
    await vi.advanceTimersByTimeAsync(1);
    expect(connections.at(-1)).toEqual({ state: "live" });
    const cursor = item.type === "event" ? item.frame.cursor : "";
    expect(daemon.subscriptions).toEqual([null, cursor, cursor, cursor]);
    stream.stop();
  });

  test("an unknown cursor has everything read again, from now", async () => {
    const { daemon, onResync, deltas, stream } = listening();
    daemon.push(aDelta("r", 1, "half a"), { type: "resync" });
    expect(onResync).toHaveBeenCalledOnce();
    expect(deltas.read("r")).toEqual([]);
    stream.stop();
  });

  test("nothing is heard after the end", async () => {
    const { daemon, batches, stream } = listening();
    daemon.push(aFrame("r", { kind: "budget_warned" }));
    stream.stop();
    await vi.advanceTimersByTimeAsync(200);
    expect(batches).toEqual([]);
  });
});

describe("streaming text", () => {
  test("pieces are joined by operation, told once a frame, and gone when the journal has them", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "requestAnimationFrame"] });
    const deltas = new DeltaStore();
    const told = vi.fn();
    const leave = deltas.subscribe("r", told);
    for (const word of ["one ", "two ", "three"]) {
      const item = aDelta("r", 4, word);
      if (item.type === "delta") deltas.append(item.delta);
    }
    expect(told).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(120);
    expect(told).toHaveBeenCalledOnce();
    expect(deltas.read("r")).toEqual([{ op: 4, text: "one two three", thinking: "" }]);
    expect(deltas.read("r")).toBe(deltas.read("r"));
    const end = aFrame("r", {
      kind: "op_finished",
      op: 4,
      outcome: "ok",
      result: "b",
      summary: "",
    });
    if (end.type === "event") deltas.settle(end.frame);
    await vi.advanceTimersByTimeAsync(120);
    expect(deltas.read("r")).toEqual([]);
    leave();
  });
});

describe("server-sent events", () => {
  test("messages cut anywhere are put together again", () => {
    const parse = sseParser();
    const text =
      'event: hello\ndata: {"cursor":"s.1"}\n\n:\n\nid: s.2\r\ndata: {"a":\r\ndata: 1}\r\n\r\n';
    const found = [...text].flatMap((character) => parse(character));
    expect(found).toEqual([
      { event: "hello", data: '{"cursor":"s.1"}' },
      { event: "", data: '{"a":\n1}' },
    ]);
  });
});

describe("the browser's transport", () => {
  test("the token leaves the address and goes with every call", async () => {
    window.location.hash = "#token=test-key-not-real";
    const token = takeToken();
    expect(window.location.href).not.toContain("test-key-not-real");
    const fetched = vi.fn(async () => new Response('{"version":"1"}'));
    vi.stubGlobal("fetch", fetched);
    await httpTransport("", token).call("version", {});
    expect(fetched).toHaveBeenCalledWith(
      "/v1/version",
      expect.objectContaining({
        method: "POST",
        headers: expect.objectContaining({ Authorization: "Bearer test-key-not-real" }),
      }),
    );
  });

  test("the daemon's own words reach the person; no answer is said to be none", async () => {
    const body = {
      error: { code: "conflict", message: "The run is over.", hint: "Start a new one." },
    };
    vi.stubGlobal("fetch", async () => new Response(JSON.stringify(body), { status: 409 }));
    await expect(httpTransport("", null).call("version", {})).rejects.toMatchObject({
      code: "conflict",
      message: "The run is over.",
      hint: "Start a new one.",
    });
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("Failed to fetch");
    });
    await expect(httpTransport("", null).call("version", {})).rejects.toMatchObject({
      code: "unreachable",
    });
  });

  test("410 means: read everything again", async () => {
    vi.stubGlobal("fetch", async () => new Response("{}", { status: 410 }));
    const items: unknown[] = [];
    const got = (batch: unknown[]) => items.push(...batch);
    await httpTransport("", null).events("old.1", null, got, new AbortController().signal);
    expect(items).toEqual([{ type: "resync" }]);
  });
});

test("whatever is thrown can be shown", () => {
  expect(asCallError("boom")).toMatchObject({ code: "internal", message: "boom" });
  expect(asCallError({ code: "refused", message: "No.", hint: "" })).toMatchObject({
    code: "refused",
  });
});

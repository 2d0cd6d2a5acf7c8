/** A server-sent event as it stands in the stream. */
export interface SseMessage {
  event: string;
  data: string;
}

/** Cuts a stream of text into server-sent events; keeps what is incomplete for the next piece. */
export function sseParser(): (piece: string) => SseMessage[] {
  let rest = "";
  let event = "";
  let data: string[] = [];
  return (piece) => {
    const messages: SseMessage[] = [];
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (data.length > 0) messages.push({ event, data: data.join("\n") });
        event = "";
        data = [];
      } else if (line.startsWith("event:")) event = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
    return messages;
  };
}

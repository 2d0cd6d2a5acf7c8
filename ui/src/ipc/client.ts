import { httpTransport, takeToken } from "./transport/http";
import { inTauri, tauriTransport } from "./transport/tauri";
import type { Transport } from "./transport/transport";

/** The transport this page was opened with: the desktop's, or the daemon's own address. */
export function openTransport(): Transport {
  if (inTauri()) return tauriTransport();
  return httpTransport("", takeToken());
}

export type {
  EndpointName,
  Native,
  RequestOf,
  ResponseOf,
  StreamItem,
  Transport,
} from "./transport/transport";

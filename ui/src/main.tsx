import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { readRoomsAhead } from "./app/room";
import { openTransport, type Transport } from "./ipc/client";
import "./styles/tokens.css";
import "./styles/base.css";

async function transport(): Promise<Transport> {
  // `?fake` shows scripted data without a daemon. A production bundle has no such branch.
  const isDemo = import.meta.env.DEV || import.meta.env.MODE === "demo";
  if (isDemo && new URLSearchParams(window.location.search).has("fake")) {
    return (await import("./dev/demo")).demoTransport();
  }
  return openTransport();
}

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
void transport().then((transport) => {
  createRoot(root).render(
    <StrictMode>
      <App transport={transport} />
    </StrictMode>,
  );
});

/** The first room is drawn by then. */
const FIRST_ROOM_MS = 400;
setTimeout(() => void readRoomsAhead(), FIRST_ROOM_MS);

import type { Transport } from "../ipc/client";
import { fakeTransport } from "../ipc/transport/fake";
import { aBackend, aFrame, ago, ahead, aReview, aRun, aStatus } from "../test/fixtures";

const STATES = ["running", "waiting", "paused", "interrupted", "completed", "failed"] as const;

/** Made-up data for looking at the interface without a daemon (`npm run dev`, then `?fake`). */
export function demoTransport(): Transport {
  const many = Number(new URLSearchParams(window.location.search).get("fake")) || 60;
  const runs = Array.from({ length: many }, (_, i) =>
    aRun({
      id: `019a0000-0000-7000-8000-${(many - i).toString(16).padStart(12, "0")}`,
      title: `${["Fix the parser", "Port the tests to vitest", "Write the migration guide"][i % 3]} ${i}`,
      state: STATES[i % STATES.length] ?? "running",
      cause: i % 6 === 1 ? "rate_limit" : null,
      until: i % 6 === 1 ? ahead(240) : null,
      created_at: ago(i * 400),
      now: i % 6 === 0 ? "cargo test -p parser" : null,
    }),
  );
  const reviews = runs.slice(0, 4).map((run) => aReview({ run: run.id, run_title: run.title }));
  const daemon = fakeTransport({
    status: () => aStatus({ open_reviews: reviews.length, runs: { running: 3 } }),
    runs: ({ since }) => ({
      runs: since ? runs.slice(0, 1).map((r) => ({ ...r, steps: Date.now() % 100 })) : runs,
      cursor: "s.2",
      partial: false,
    }),
    reviews: { reviews },
    review: ({ review }) => {
      const found = reviews.find((r) => r.id === review) ?? aReview();
      return { review: found, run: runs[0] ?? aRun(), before: [], op: null };
    },
    backend_list: { backends: [aBackend()] },
  });
  const perSecond = Number(new URLSearchParams(window.location.search).get("events")) || 0;
  if (perSecond > 0) {
    setInterval(() => {
      for (let i = 0; i < perSecond / 20; i++) {
        daemon.push(aFrame(runs[i % 5]?.id ?? "", { kind: "noted", text: "busy" }));
      }
    }, 50);
  }
  return daemon;
}

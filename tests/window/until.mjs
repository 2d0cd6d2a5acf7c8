// Waiting for what is to happen, never for time to pass.

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until the answer is truthy; an answer that throws counts as not yet. */
export async function until(what, ask, ms = 30_000) {
  const end = Date.now() + ms;
  let last = "nothing";
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = JSON.stringify(answer);
    } catch (error) {
      last = error.message;
    }
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}; last: ${last}`);
    await pause(60);
  }
}

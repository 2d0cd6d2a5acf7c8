import type { ApiError, ErrorCode } from "./bindings";

/** A call that failed, in the daemon's words: what, why and what now. */
export class CallError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(error: ApiError) {
    super(error.message);
    this.name = "CallError";
    this.code = error.code;
    this.hint = error.hint ?? "";
  }
}

/** The daemon cannot be reached; the connection banner says so and reconnects by itself. */
export function unreachable(why: string): CallError {
  return new CallError({
    code: "unreachable",
    message: `The daemon cannot be reached: ${why}`,
    hint: "Longhaul tries again by itself. If it stays like this, start it with `longhaul daemon`.",
  });
}

function isApiError(value: unknown): value is ApiError {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    "message" in value &&
    typeof value.message === "string"
  );
}

/** Whatever a transport threw, as an error that can be shown. */
export function asCallError(thrown: unknown): CallError {
  if (thrown instanceof CallError) return thrown;
  const inner =
    typeof thrown === "object" && thrown !== null && "error" in thrown ? thrown.error : thrown;
  if (isApiError(inner)) {
    return new CallError({ code: inner.code, message: inner.message, hint: inner.hint ?? "" });
  }
  return new CallError({
    code: "internal",
    message: thrown instanceof Error ? thrown.message : String(thrown),
    hint: "This is a defect in the window. Reload it; the runs are not affected.",
  });
}

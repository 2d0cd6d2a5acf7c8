import { useNative } from "../../queries/link";
import { toast, toastError } from "../../stores/toasts";

/** Shows a folder in the system's file manager; a browser can only copy its path. */
export function useOpenFolder(path: string | null): {
  label: string;
  why: string | undefined;
  open: () => void;
} {
  const native = useNative();
  const why = path ? undefined : "It has no workspace yet";
  if (native && "openPath" in native && typeof native.openPath === "function") {
    const openPath = native.openPath as (path: string) => Promise<void>;
    return {
      label: "Open the workspace's folder",
      why,
      open: () => {
        if (path) {
          openPath(path).catch((error: unknown) =>
            toastError("The folder could not be opened", error),
          );
        }
      },
    };
  }
  return {
    label: "Copy the workspace's path",
    why,
    open: () => {
      if (path) {
        void navigator.clipboard
          .writeText(path)
          .then(() => toast({ tone: "good", title: "The path is copied", detail: path }));
      }
    },
  };
}

import { useLink } from "./link";

/** Saves a text as a file: where the desktop's dialog says, or as a browser's download. */
export function useSaveText(): (name: string, text: string) => Promise<boolean> {
  const { native } = useLink().transport;
  return async (name, text) => {
    if (native) return native.saveText(name, text);
    const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = name;
    link.click();
    // The download has begun once the click is handled; the address may go after that.
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
    return true;
  };
}

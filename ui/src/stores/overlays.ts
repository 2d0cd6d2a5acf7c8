import { create } from "zustand";

/** What lies over the rooms: one thing at a time. */
export type Overlay = "palette" | "help" | null;

export const useOverlay = create<{ overlay: Overlay }>(() => ({ overlay: null }));
export const showOverlay = (overlay: Overlay): void => useOverlay.setState({ overlay });

import { create } from "zustand";

/** Going on from a checkpoint, beginning another run there, or going back to it and resting. */
export type TravelHow = "resume" | "fork" | "rollback";

export interface Travel {
  run: string;
  /** `cp3`; null for the newest. */
  checkpoint: string | null;
  how: TravelHow;
}

/** What somebody is about to do with a checkpoint: any room may ask, the app shows what it means. */
export const useTravel = create<{ travel: Travel | null }>(() => ({ travel: null }));

export const openTravel = (travel: Travel): void => useTravel.setState({ travel });
export const closeTravel = (): void => useTravel.setState({ travel: null });

import { createContext, type ReactNode, useContext } from "react";
import type { Transport } from "../ipc/client";
import type { DeltaStore } from "../ipc/deltas";

/** What every query needs: whom to ask, and what is streaming in. */
export interface Link {
  transport: Transport;
  deltas: DeltaStore;
}

const LinkContext = createContext<Link | null>(null);

export function LinkProvider(props: { link: Link; children: ReactNode }) {
  return <LinkContext value={props.link}>{props.children}</LinkContext>;
}

export function useLink(): Link {
  const link = useContext(LinkContext);
  if (!link) throw new Error("useLink is used outside of a LinkProvider");
  return link;
}

/** What only the desktop can do; null in a browser. */
export function useNative() {
  return useLink().transport.native;
}

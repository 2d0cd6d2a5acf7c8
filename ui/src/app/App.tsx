import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { OpenExternalProvider } from "../components/ExternalLink";
import type { Transport } from "../ipc/client";
import { DeltaStore } from "../ipc/deltas";
import { type Link, LinkProvider } from "../queries/link";
import { keepLive } from "../queries/live";
import { createQueryClient } from "../queries/query-client";
import { toastError } from "../stores/toasts";
import { createAppRouter } from "./router";

/** The whole app over one transport. */
export function App({ transport }: { transport: Transport }) {
  const [client] = useState(createQueryClient);
  const [link] = useState<Link>(() => ({ transport, deltas: new DeltaStore() }));
  const [router] = useState(createAppRouter);
  useEffect(() => keepLive(link, client), [link, client]);

  const openExternal = (url: string) => {
    if (!transport.native) window.open(url, "_blank", "noopener,noreferrer");
    else
      transport.native
        .openExternal(url)
        .catch((error: unknown) => toastError("The link could not be opened", error));
  };

  return (
    <LinkProvider link={link}>
      <QueryClientProvider client={client}>
        <OpenExternalProvider open={openExternal}>
          <RouterProvider router={router} />
        </OpenExternalProvider>
      </QueryClientProvider>
    </LinkProvider>
  );
}

import { createContext, type ReactNode, useContext, useState } from "react";
import { plain } from "../lib/plain";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import styles from "./ExternalLink.module.css";

type Open = (url: string) => void;

/** How links leave the app: the app gives the desktop's way, a browser's otherwise. */
const OpenContext = createContext<Open>((url) => {
  window.open(url, "_blank", "noopener,noreferrer");
});

export function OpenExternalProvider(props: { open: Open; children: ReactNode }) {
  return <OpenContext value={props.open}>{props.children}</OpenContext>;
}

/** Only these may leave the app; anything else is shown as text. */
export function isSafeLink(href: string | undefined): href is string {
  return href !== undefined && /^(https?|mailto):/i.test(href);
}

/** A link to the outside: shows where it goes and asks, because an agent may have written it. */
export function ExternalLink(props: { href: string; children: ReactNode }) {
  const open = useContext(OpenContext);
  const [asking, setAsking] = useState(false);
  return (
    <>
      <a
        href={props.href}
        title={plain(props.href)}
        rel="noopener noreferrer"
        onClick={(event) => {
          event.preventDefault();
          setAsking(true);
        }}
      >
        {props.children}
      </a>
      <Dialog
        title="Open this link outside of Longhaul?"
        open={asking}
        onClose={() => setAsking(false)}
        footer={
          <>
            <Button onPress={() => setAsking(false)}>Cancel</Button>
            <Button
              look="primary"
              onPress={() => {
                setAsking(false);
                open(props.href);
              }}
            >
              Open in the browser
            </Button>
          </>
        }
      >
        <p className={styles.url}>{plain(props.href)}</p>
      </Dialog>
    </>
  );
}

import { Activity, ChartColumn, Inbox, ListTree, PanelLeft, Plus, Settings } from "lucide-react";
import type { ReactNode } from "react";
import type { ActionId } from "../actions/catalog";
import { definitionOf, runAction } from "../actions/registry";
import { CountBadge } from "../components/Badge";
import { Button, IconButton } from "../components/Button";
import { cx } from "../components/cx";
import { KeyHint } from "../components/KeyHint";
import { media } from "../components/media";
import { hrefOf, type Place } from "../lib/places";
import { isLive, RUN_STATES } from "../queries/run-words";
import { useOpenReviewCount, useStatus } from "../queries/status";
import { toggleRail, useAppearance } from "../stores/appearance";
import { useConnection } from "../stores/connection";
import { useNavigator } from "../stores/navigation";
import styles from "./Rail.module.css";

const LIVE_STATES = RUN_STATES.filter(isLive);

export function Rail() {
  const narrow = useNarrow();
  const small = useAppearance((s) => s.railSmall) || narrow;
  const open = useOpenReviewCount();
  const { data: status } = useStatus();
  const live = LIVE_STATES.reduce((sum, state) => sum + (status?.runs[state] ?? 0), 0);
  return (
    <nav className={cx(styles.rail, small && styles.small)} aria-label="Rooms">
      <div className={styles.head}>
        <span className={styles.brand}>Longhaul</span>
        {!narrow && (
          <IconButton
            label={small ? "Unfold the sidebar" : "Fold the sidebar"}
            keys="mod+b"
            icon={<PanelLeft size={16} />}
            onPress={toggleRail}
          />
        )}
      </div>
      <div className={styles.new}>
        <Button look="primary" icon={<Plus />} onPress={() => runAction("app.new-run")}>
          New run
        </Button>
      </div>
      <ul className={styles.rooms}>
        <RoomLink to={{ room: "inbox" }} action="go.inbox" icon={<Inbox />}>
          <CountBadge count={open} label="waiting" tone="warn" />
        </RoomLink>
        <RoomLink to={{ room: "runs" }} action="go.runs" icon={<ListTree />}>
          <CountBadge count={live} label="running" tone="busy" />
        </RoomLink>
        <RoomLink to={{ room: "costs" }} action="go.costs" icon={<ChartColumn />} />
        <RoomLink to={{ room: "health" }} action="go.health" icon={<Activity />}>
          {status?.trouble && <CountBadge count={1} label="trouble" tone="bad" />}
        </RoomLink>
        <RoomLink to={{ room: "settings" }} action="go.settings" icon={<Settings />} />
      </ul>
      <Foot />
    </nav>
  );
}

/** In a narrow window the rail is icons, whatever the user chose for a wide one. */
const useNarrow = media("(max-width: 56.25rem)");

function RoomLink(props: { to: Place; action: ActionId; icon: ReactNode; children?: ReactNode }) {
  const { path } = useNavigator();
  const { title, keys } = definitionOf(props.action);
  const here = path.split("/")[1] === props.to.room;
  return (
    <li>
      <a
        className={cx(styles.room, here && styles.here)}
        href={hrefOf(props.to)}
        aria-current={here ? "page" : undefined}
        title={title}
      >
        {props.icon}
        <span className={styles.name}>{title}</span>
        {props.children && <span className={styles.mark}>{props.children}</span>}
        {keys?.[0] && (
          <span className={styles.keys}>
            <KeyHint keys={keys[0]} />
          </span>
        )}
      </a>
    </li>
  );
}

const WORDS = { connecting: "Connecting…", live: "Connected", lost: "Not connected" } as const;

function Foot() {
  const state = useConnection((s) => s.connection.state);
  const { data: status } = useStatus();
  const words = status?.mode === "draining" ? "Stopping" : WORDS[state];
  return (
    <div className={styles.foot}>
      <a
        className={styles.state}
        href={hrefOf({ room: "health" })}
        title={`${words}${status ? `, daemon ${status.version}, pid ${status.pid}` : ""}`}
      >
        <span className={cx(styles.dot, styles[state])} aria-hidden="true" />
        <span className={styles.name}>{words}</span>
        {status && <span className={styles.version}>{status.version}</span>}
      </a>
    </div>
  );
}

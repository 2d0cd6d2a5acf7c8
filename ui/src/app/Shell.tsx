import { Outlet, useRouter, useRouterState } from "@tanstack/react-router";
import { useEffect, useMemo, useRef } from "react";
import { useHotkeys } from "../actions/hotkeys";
import { isActionId, runAction } from "../actions/registry";
import { HelpSheet } from "../features/help/HelpSheet";
import { UndoBar } from "../features/inbox/UndoBar";
import { Palette } from "../features/palette/Palette";
import { TravelDialog } from "../features/travel/TravelDialog";
import { useLink } from "../queries/link";
import { useOpenReviewCount } from "../queries/status";
import { useAnnouncer } from "../stores/announcer";
import { type Navigator, NavigatorProvider } from "../stores/navigation";
import { useAppActions } from "./app-actions";
import { Banner } from "./Banner";
import { Rail } from "./Rail";
import styles from "./Shell.module.css";
import { Toasts } from "./Toasts";

/** The frame around every room. */
export function Shell() {
  const navigator = useRouterNavigator();
  return (
    <NavigatorProvider navigator={navigator}>
      <Frame room={navigator.path.split("/")[1] ?? ""} />
    </NavigatorProvider>
  );
}

function Frame({ room }: { room: string }) {
  const main = useRef<HTMLElement>(null);

  // A new room: reading starts at its top, not at the link that led to it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the change of room is the cause
  useEffect(() => {
    if (!main.current?.contains(document.activeElement)) main.current?.focus();
  }, [room]);

  return (
    <div className={styles.shell}>
      <Habits />
      <button type="button" className={styles.skip} onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Rail />
      <div className={styles.side}>
        <Banner />
        <main ref={main} className={styles.main} tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      <Toasts />
      <UndoBar />
      <Palette />
      <HelpSheet />
      <TravelDialog />
      <LiveRegions />
    </div>
  );
}

/** What goes on without being seen. A component of its own: its news must not render the rooms. */
function Habits() {
  useAppActions();
  useHotkeys();
  useOpenFromOutside();
  useBadge();
  return null;
}

function useRouterNavigator(): Navigator {
  const router = useRouter();
  const location = useRouterState({ select: (state) => state.location });
  return useMemo(() => {
    const search = location.search as Record<string, string>;
    const go = (path: string, options?: { replace?: boolean }) => {
      if (options?.replace) router.history.replace(path);
      else router.history.push(path);
    };
    return {
      go,
      back: () => router.history.back(),
      path: location.pathname,
      search,
      setSearch: (changes) => {
        const kept = Object.entries({ ...search, ...changes }).filter(
          (entry): entry is [string, string] => entry[1] !== null && entry[1] !== "",
        );
        const text = new URLSearchParams(kept).toString();
        go(text ? `${location.pathname}?${text}` : location.pathname, { replace: true });
      },
    };
  }, [router, location]);
}

/** The tray and notifications name a place (`/inbox/ID`) or an action. */
function useOpenFromOutside(): void {
  const { native } = useLink().transport;
  const router = useRouter();
  useEffect(() => {
    if (!native) return;
    let gone = false;
    let leave = () => {};
    void native
      .onOpen((target) => {
        if (isActionId(target)) runAction(target);
        else if (target.startsWith("/")) router.history.push(target);
      })
      .then((stop) => {
        if (gone) stop();
        else leave = stop;
      });
    return () => {
      gone = true;
      leave();
    };
  }, [native, router]);
}

function useBadge(): void {
  const { native } = useLink().transport;
  const open = useOpenReviewCount();
  useEffect(() => {
    // A desktop without badges is no reason to bother anybody.
    native?.setBadge(open || null).catch(() => {});
  }, [native, open]);
}

function LiveRegions() {
  const { polite, assertive } = useAnnouncer();
  return (
    <div className="hidden-words">
      <div aria-live="polite">{polite}</div>
      <div aria-live="assertive">{assertive}</div>
    </div>
  );
}

/** Where in the app something is. Rooms name places; only the app knows how it routes. */
export type Place =
  | { room: "inbox"; review?: string }
  | { room: "runs"; search?: Record<string, string> }
  | { room: "run"; run: string; tab?: RunTab; search?: Record<string, string> }
  | { room: "costs"; search?: Record<string, string> }
  | { room: "health" }
  | { room: "settings"; section?: string; search?: Record<string, string> }
  | { room: "welcome" }
  | { room: "new"; search?: Record<string, string> };

export const RUN_TABS = ["timeline", "changes", "trace", "cost", "details"] as const;
export type RunTab = (typeof RUN_TABS)[number];

const withSearch = (path: string, search?: Record<string, string>): string => {
  const query = new URLSearchParams(search).toString();
  return query ? `${path}?${query}` : path;
};

/** The path within the app, as the router and deep links write it. */
export function pathOf(place: Place): string {
  switch (place.room) {
    case "inbox":
      return place.review ? `/inbox/${encodeURIComponent(place.review)}` : "/inbox";
    case "run":
      return withSearch(
        `/runs/${encodeURIComponent(place.run)}/${place.tab ?? "timeline"}`,
        place.search,
      );
    case "settings":
      return withSearch(
        `/settings/${encodeURIComponent(place.section ?? "backends")}`,
        place.search,
      );
    case "runs":
    case "costs":
    case "new":
      return withSearch(`/${place.room}`, place.search);
    default:
      return `/${place.room}`;
  }
}

/** For an `href`: works with a plain click, a middle click and a copied link. */
export function hrefOf(place: Place): string {
  return `#${pathOf(place)}`;
}

import { Page } from "../../components/Page";
import { Skeleton } from "../../components/states";
import type { RunTab } from "../../lib/places";

export function RunRoom(_props: { run: string; tab: RunTab }) {
  return (
    <Page title="Run">
      <Skeleton />
    </Page>
  );
}

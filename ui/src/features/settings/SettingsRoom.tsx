import { Page } from "../../components/Page";
import { Skeleton } from "../../components/states";

export function SettingsRoom(_props: { section: string }) {
  return (
    <Page title="Settings">
      <Skeleton />
    </Page>
  );
}

import { Page } from "../../components/Page";
import { Skeleton } from "../../components/states";

export function HealthRoom() {
  return (
    <Page title="Health">
      <Skeleton />
    </Page>
  );
}

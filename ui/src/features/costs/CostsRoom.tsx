import { Page } from "../../components/Page";
import { Skeleton } from "../../components/states";

export function CostsRoom() {
  return (
    <Page title="Costs">
      <Skeleton />
    </Page>
  );
}

import { Page } from "../../components/Page";
import { Skeleton } from "../../components/states";

export function NewRunRoom() {
  return (
    <Page title="New run">
      <Skeleton />
    </Page>
  );
}

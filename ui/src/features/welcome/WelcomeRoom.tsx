import { Page } from "../../components/Page";
import { Skeleton } from "../../components/states";

export function WelcomeRoom() {
  return (
    <Page title="Welcome">
      <Skeleton />
    </Page>
  );
}

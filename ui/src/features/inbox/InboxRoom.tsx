import { Page } from "../../components/Page";
import { Skeleton } from "../../components/states";

export function InboxRoom(_props: { review: string | null }) {
  return (
    <Page title="Inbox">
      <Skeleton />
    </Page>
  );
}

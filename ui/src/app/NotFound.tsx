import { MapPinOff } from "lucide-react";
import { EmptyState } from "../components/states";
import { PlaceLink } from "../stores/navigation";

export function NotFound() {
  return (
    <EmptyState
      icon={<MapPinOff />}
      title="There is nothing at this address"
      action={<PlaceLink to={{ room: "inbox" }}>Go to the inbox</PlaceLink>}
    />
  );
}

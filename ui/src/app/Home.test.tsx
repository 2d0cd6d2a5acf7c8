import { waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import { aBackend } from "../test/fixtures";
import { renderRoom } from "../test/render";
import { Home } from "./Home";

test("what was asked for while the app opened is not lost to the inbox", async () => {
  // The address is changed at once; the router, and with it the room, follows a moment later.
  window.location.hash = "#/costs";
  const { client, visited, rerender } = renderRoom(<Home />, {
    script: { backend_list: { backends: [aBackend()] } },
  });
  await waitFor(() => expect(client.isFetching()).toBe(0));
  rerender(<Home />);
  expect(visited).toEqual([]);

  window.location.hash = "#/";
  rerender(<Home key="again" />);
  await waitFor(() => expect(visited).toEqual(["/inbox"]));
});

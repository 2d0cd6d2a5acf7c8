import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // The desktop serves the files from its own scheme and the daemon from a sub-path.
  base: "./",
  plugins: [react()],
  server: { port: 5199, strictPort: true, host: "127.0.0.1" },
  build: {
    target: "es2022",
    // The strict CSP has no room for inline scripts or data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  test: {
    environment: "jsdom",
    setupFiles: ["src/test/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    // jsdom computes styles very slowly and lays nothing out: roles and labels need none.
    css: { include: [] },
    // Two cores: more workers only fight each other.
    maxWorkers: 2,
    testTimeout: 90_000,
    // jsdom beside a compiler stands still for seconds. What failed is run once more, and the
    // report says so; what fails twice fails.
    retry: 1,
  },
});

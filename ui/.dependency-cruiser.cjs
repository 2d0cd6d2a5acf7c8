// The direction of imports: app → features → queries|actions|stores|components → ipc → lib.
const only = (name, from, ...allowed) => ({
  name,
  severity: "error",
  from: { path: `^src/${from}/`, pathNot: "\\.test\\.tsx?$" },
  to: { path: "^src/", pathNot: [from, ...allowed].map((folder) => `^src/${folder}/`) },
});

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    {
      name: "a-feature-never-imports-another",
      severity: "error",
      from: { path: "^src/features/([^/]+)/" },
      to: { path: "^src/features/", pathNot: "^src/features/$1/" },
    },
    {
      name: "tauri-only-behind-the-transport",
      severity: "error",
      from: { pathNot: "^src/ipc/transport/" },
      to: { path: "@tauri-apps" },
    },
    {
      name: "tests-are-not-shipped",
      severity: "error",
      from: { path: "^src/", pathNot: ["\\.test\\.tsx?$", "^src/test/", "^src/dev/"] },
      to: { path: ["^src/test/", "^src/dev/"], dynamic: false },
    },
    only("lib-is-the-bottom", "lib"),
    only("ipc-knows-lib", "ipc", "lib"),
    only("components-know-no-data", "components", "lib", "styles"),
    only("stores-know-ipc-types", "stores", "ipc", "lib"),
    only("queries-know-ipc", "queries", "ipc", "lib", "stores"),
    only("actions-know-stores", "actions", "stores", "ipc", "lib"),
    only("features-below", "features", "queries", "actions", "stores", "components", "ipc", "lib"),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // Reads TypeScript by its API, which version 7 no longer has: `typescript` is 6 for this tool,
    // `npm run check` compiles with 7.
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "default"] },
  },
};

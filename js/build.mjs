// Bundles src/ into the files the Python package ships, two a widget and two for the offline page. The output is readable on purpose:
// it is committed, so a reviewer can diff it.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const NOTE = "built from js/ — do not edit";

const common = {
  absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
  outdir: "../camwidget/static",
  bundle: true,
  // The stylesheets land in a host page's document: spare older browsers nothing, rewrite nothing.
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  banner: { js: `// ${NOTE}`, css: `/* ${NOTE} */` },
  logLevel: "info",
};

await build({
  ...common,
  entryPoints: {
    view: "src/index.ts",
    quiz: "src/quiz/index.ts",
    table: "src/table/index.ts",
    footprints: "src/footprints/index.ts",
    survey: "src/survey/index.ts",
  },
  format: "esm",
});

// Stands in a page as it is, which has no modules: blob: and data: scripts are forbidden there.
await build({ ...common, entryPoints: { page: "src/page/index.ts" }, format: "iife" });

await build({
  ...common,
  entryPoints: {
    view: "src/css/view.css",
    quiz: "src/quiz/css/quiz.css",
    table: "src/table/css/table.css",
    footprints: "src/footprints/css/footprints.css",
    survey: "src/survey/css/survey.css",
    page: "src/page/css/page.css",
    index: "src/page/css/index.css",
  },
});

// Bundles src/ into the files the Python package ships, two a widget and two for the offline page. The output is readable on purpose:
// it is committed, so a reviewer can diff it.
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const note = "built from js/ — do not edit";

await build({
  absWorkingDir: here,
  entryPoints: { view: "src/index.ts", quiz: "src/quiz/index.ts", table: "src/table/index.ts" },
  outdir: "../camwidget/static",
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  banner: { js: `// ${note}` },
  logLevel: "info",
});

// Stands in a page as it is, which has no modules: blob: and data: scripts are forbidden there.
await build({
  absWorkingDir: here,
  entryPoints: { page: "src/page/index.ts" },
  outdir: "../camwidget/static",
  bundle: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  banner: { js: `// ${note}` },
  logLevel: "info",
});

await build({
  absWorkingDir: here,
  entryPoints: { view: "src/css/view.css", quiz: "src/quiz/css/quiz.css", table: "src/table/css/table.css", page: "src/page/css/page.css", index: "src/page/css/index.css" },
  outdir: "../camwidget/static",
  bundle: true,
  charset: "utf8",
  // The stylesheet lands in a host page's document: spare older browsers nothing, rewrite nothing.
  target: "es2022",
  legalComments: "none",
  banner: { css: `/* ${note} */` },
  logLevel: "info",
});

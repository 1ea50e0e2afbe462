// Bundles src/ into the files the Python package ships, two a widget and two for the offline page. The output is readable on purpose:
// it is committed, so a reviewer can diff it.
import { execFileSync } from "node:child_process";
import { build } from "esbuild";
import { readFileSync } from "node:fs";
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
// Every saved page contains it: without indentation it is a third smaller.
await build({
  ...common,
  entryPoints: { page: "src/page/index.ts", live: "src/live/index.ts", lesson: "src/lesson/index.ts" },
  format: "iife",
  minifyWhitespace: true,
});

// The worker of a live page, with the runtime's script. An inline script has no address, for which the runtime asks.
const LICENSE = readFileSync(fileURLToPath(new URL("src/live/runtime-license.txt", import.meta.url)), "utf8").trim();
await build({
  ...common,
  entryPoints: { worker: "src/live/worker.ts" },
  format: "iife",
  minifySyntax: true,
  define: { "import.meta.url": '"https://camwidget.invalid/worker.js"' },
  banner: { js: `// ${NOTE}\n/*!\n${LICENSE}\n*/` },
});

// The runtime itself, by Python, since Node has no xz.
execFileSync("python3", [fileURLToPath(new URL("compress_runtime.py", import.meta.url))], { stdio: "inherit" });

await build({
  ...common,
  entryPoints: {
    view: "src/css/view.css",
    quiz: "src/quiz/css/quiz.css",
    table: "src/table/css/table.css",
    footprints: "src/footprints/css/footprints.css",
    survey: "src/survey/css/survey.css",
    page: "src/page/css/page.css",
    live: "src/live/css/live.css",
    lesson: "src/lesson/css/lesson.css",
    index: "src/page/css/index.css",
  },
});

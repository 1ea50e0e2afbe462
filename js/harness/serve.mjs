// `npm run harness`: the view with a made-up kernel on http://127.0.0.1:8123, rebuilt on reload.
// ?theme=dark ?width=600
// ?state=busy|partial|error|empty|silent|alone|small|wide|one|input|unlisted|deep|flat|nostages
import { context } from "esbuild";
import { fileURLToPath } from "node:url";

const server = await context({
  absWorkingDir: fileURLToPath(new URL("..", import.meta.url)),
  entryPoints: { main: "harness/main.ts", view: "src/css/view.css" },
  outdir: "harness",
  bundle: true,
  write: false,
  format: "esm",
  target: "es2022",
});
const { port } = await server.serve({ host: "127.0.0.1", port: 8123, servedir: "harness" });
console.log(`http://127.0.0.1:${port}/`);

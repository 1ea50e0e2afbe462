"use strict";
(Array.isArray(self["webpackChunkcamwidget"]) ? self["webpackChunkcamwidget"] : (self["webpackChunkcamwidget"] = [])).push([["lib_plugin_js"],{

/***/ 10
(__unused_webpack_module, __webpack_exports__, __webpack_require__) {

/* harmony import */ var _jupyterlab_ui_components__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(11);
/** The icon of explorers. */

/** A picture's frame with the hot spot of a saliency map in it. */
const explorerIcon = new _jupyterlab_ui_components__WEBPACK_IMPORTED_MODULE_0__.LabIcon({
    name: "camwidget:explorer",
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">
  <path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M2 2h12v12H2zm1.3 1.3v9.4h9.4V3.3z"/>
  <circle fill="#F57C00" opacity=".35" cx="8.6" cy="7.4" r="3.6"/>
  <circle fill="#F57C00" cx="8.6" cy="7.4" r="1.8"/>
</svg>`,
});

/* harmony export */ __webpack_require__.d(__webpack_exports__, [
/* harmony export */   "b", 0, /* binding */ explorerIcon
/* harmony export */ ]);


/***/ },

/***/ 3
(__unused_webpack_module, __webpack_exports__, __webpack_require__) {

__webpack_require__.r(__webpack_exports__);
/* harmony import */ var _jupyterlab_application__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(4);
/* harmony import */ var _jupyterlab_apputils__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(5);
/* harmony import */ var _jupyterlab_filebrowser__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(6);
/* harmony import */ var _jupyterlab_launcher__WEBPACK_IMPORTED_MODULE_3__ = __webpack_require__(7);
/* harmony import */ var _jupyterlab_notebook__WEBPACK_IMPORTED_MODULE_4__ = __webpack_require__(8);
/* harmony import */ var _jupyterlab_rendermime__WEBPACK_IMPORTED_MODULE_5__ = __webpack_require__(9);
/* harmony import */ var _icon__WEBPACK_IMPORTED_MODULE_6__ = __webpack_require__(10);
/* harmony import */ var _request__WEBPACK_IMPORTED_MODULE_7__ = __webpack_require__(12);
/** The plugin: registers the commands. Everything else is loaded when the first explorer is opened. */








const OPEN = "camwidget:open";
const EXPLORE = "camwidget:explore-files";
const SEND = "camwidget:send-to-notebook";
const RESTART = "camwidget:restart";
const MOVE = "camwidget:move";
/** Files that are pictures although the server knows no MIME type for them, by their endings. */
const PICTURE = /\.(avif|bmp|gif|jfif|jp2|jpe?g|pbm|pgm|png|ppm|tga|tiff?|webp)$/i;
const plugin = {
    id: "camwidget:plugin",
    description: "Explorers of image models in tabs of their own.",
    autoStart: true,
    requires: [_jupyterlab_rendermime__WEBPACK_IMPORTED_MODULE_5__.IRenderMimeRegistry],
    optional: [_jupyterlab_application__WEBPACK_IMPORTED_MODULE_0__.ILabShell, _jupyterlab_filebrowser__WEBPACK_IMPORTED_MODULE_2__.IFileBrowserFactory, _jupyterlab_launcher__WEBPACK_IMPORTED_MODULE_3__.ILauncher, _jupyterlab_apputils__WEBPACK_IMPORTED_MODULE_1__.ICommandPalette, _jupyterlab_notebook__WEBPACK_IMPORTED_MODULE_4__.INotebookTracker, _jupyterlab_application__WEBPACK_IMPORTED_MODULE_0__.ILayoutRestorer, _jupyterlab_apputils__WEBPACK_IMPORTED_MODULE_1__.ISessionContextDialogs],
    activate: (app, rendermime, lab, browsers, launcher, palette, notebooks, restorer, dialogs) => {
        const { commands } = app;
        const tabs = new _jupyterlab_apputils__WEBPACK_IMPORTED_MODULE_1__.WidgetTracker({ namespace: "camwidget" });
        const around = { app, lab, rendermime, notebooks, dialogs, tabs };
        const isTab = () => tabs.currentWidget !== null;
        const selected = () => [...(browsers?.tracker.currentWidget?.selectedItems() ?? [])];
        const folder = () => app.serviceManager.contents.localPath(browsers?.tracker.currentWidget?.model.path ?? "");
        commands.addCommand(OPEN, {
            label: "camwidget Explorer",
            caption: "Explore the embedded image model",
            icon: _icon__WEBPACK_IMPORTED_MODULE_6__/* .explorerIcon */ .b,
            execute: async (args) => {
                const { openTab } = await __webpack_require__.e(/* import() */ "lib_open_js").then(() => (__webpack_require__(13)));
                return openTab(around, (0,_request__WEBPACK_IMPORTED_MODULE_7__/* .fromArguments */ .ZN)(args));
            },
        });
        commands.addCommand(EXPLORE, {
            label: "Explore with camwidget",
            caption: "Show what an image model has evidence for in the selected pictures and folders",
            icon: _icon__WEBPACK_IMPORTED_MODULE_6__/* .explorerIcon */ .b,
            isVisible: () => {
                const items = selected();
                return items.length > 0 && items.every(({ type, mimetype, name }) => type === "directory" || mimetype?.startsWith("image/") || PICTURE.test(name));
            },
            execute: () => commands.execute(OPEN, { folder: folder(), names: selected().map(({ name }) => name) }),
        });
        commands.addCommand(SEND, {
            label: "Send Explorer to Notebook",
            isEnabled: isTab,
            execute: async () => {
                const tab = tabs.currentWidget;
                if (tab)
                    await (await __webpack_require__.e(/* import() */ "lib_open_js").then(() => (__webpack_require__(13)))).send(around, tab);
            },
        });
        commands.addCommand(RESTART, {
            label: "Restart the Explorer's Kernel",
            isEnabled: isTab,
            execute: () => tabs.currentWidget?.content.restart(),
        });
        commands.addCommand(MOVE, {
            label: "Move Explorer to the Side Panel or Back",
            isVisible: () => lab !== null,
            isEnabled: isTab,
            execute: async () => {
                const tab = tabs.currentWidget;
                if (tab)
                    (await __webpack_require__.e(/* import() */ "lib_open_js").then(() => (__webpack_require__(13)))).move(around, tab);
            },
        });
        app.contextMenu.addItem({ command: EXPLORE, selector: ".jp-DirListing-item", rank: 3 });
        launcher?.add({ command: OPEN, category: "Other", rank: 2 });
        for (const command of [OPEN, EXPLORE, SEND, RESTART, MOVE])
            palette?.addItem({ command, category: "camwidget" });
        void restorer?.restore(tabs, {
            command: OPEN,
            args: ({ request }) => (0,_request__WEBPACK_IMPORTED_MODULE_7__/* .toArguments */ .YL)(request),
            name: ({ request }) => request.session,
        });
    },
};
/* harmony default export */ const __WEBPACK_DEFAULT_EXPORT__ = (plugin);

/* harmony export */ __webpack_require__.d(__webpack_exports__, [
/* harmony export */   "default", 0, __WEBPACK_DEFAULT_EXPORT__
/* harmony export */ ]);


/***/ },

/***/ 12
(__unused_webpack_module, __webpack_exports__, __webpack_require__) {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   Gg: () => (/* binding */ titleOf),
/* harmony export */   Mr: () => (/* binding */ way),
/* harmony export */   YL: () => (/* binding */ toArguments),
/* harmony export */   ZN: () => (/* binding */ fromArguments),
/* harmony export */   fj: () => (/* binding */ join)
/* harmony export */ });
/** The request as arguments of a command, which are JSON. */
function toArguments(request) {
    return { ...request, names: [...request.names] };
}
/** A request from arguments, which may come from anywhere; the launcher names its folder `cwd`. */
function fromArguments(given) {
    const { cwd, folder = cwd, names, session, kernel, state } = given;
    const texts = Object.entries({ folder, session, kernel, state }).filter(([, value]) => typeof value === "string");
    const list = Array.isArray(names) ? { names: names.filter((name) => typeof name === "string") } : {};
    return { ...Object.fromEntries(texts), ...list };
}
/** Returns the title of a tab. */
function titleOf(request) {
    const [first, ...others] = request.names;
    if (first === undefined)
        return "Explorer";
    return others.length ? `${first} + ${others.length}` : first;
}
/** A path of folder and name, below the server's root. */
function join(folder, name) {
    return folder ? `${folder}/${name}` : name;
}
/** Returns the relative path from one folder to another, both below the server's root: "" or with a slash at its end. */
function way(from, to) {
    const [start, end] = [from, to].map((path) => path.split("/").filter(Boolean));
    let common = 0;
    while (common < Math.min(start.length, end.length) && start[common] === end[common])
        common += 1;
    return "../".repeat(start.length - common) + end.slice(common).map((part) => `${part}/`).join("");
}


/***/ }

}]);
"use strict";
(Array.isArray(self["webpackChunkcamwidget"]) ? self["webpackChunkcamwidget"] : (self["webpackChunkcamwidget"] = [])).push([["lib_open_js"],{

/***/ 13
(__unused_webpack_module, __webpack_exports__, __webpack_require__) {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  move: () => (/* binding */ move),
  openTab: () => (/* binding */ openTab),
  send: () => (/* binding */ send)
});

// MODULE: ./node_modules/style-loader/dist/runtime/injectStylesIntoStyleTag.js
var injectStylesIntoStyleTag_namespaceFn = /*#__PURE__*/__webpack_require__.cw((module) => {


var stylesInDOM = [];
function getIndexByIdentifier(identifier) {
  var result = -1;
  for (var i = 0; i < stylesInDOM.length; i++) {
    if (stylesInDOM[i].identifier === identifier) {
      result = i;
      break;
    }
  }
  return result;
}
function modulesToDom(list, options) {
  var idCountMap = {};
  var identifiers = [];
  for (var i = 0; i < list.length; i++) {
    var item = list[i];
    var id = options.base ? item[0] + options.base : item[0];
    var count = idCountMap[id] || 0;
    var identifier = "".concat(id, " ").concat(count);
    idCountMap[id] = count + 1;
    var indexByIdentifier = getIndexByIdentifier(identifier);
    var obj = {
      css: item[1],
      media: item[2],
      sourceMap: item[3],
      supports: item[4],
      layer: item[5]
    };
    if (indexByIdentifier !== -1) {
      stylesInDOM[indexByIdentifier].references++;
      stylesInDOM[indexByIdentifier].updater(obj);
    } else {
      var updater = addElementStyle(obj, options);
      options.byIndex = i;
      stylesInDOM.splice(i, 0, {
        identifier: identifier,
        updater: updater,
        references: 1
      });
    }
    identifiers.push(identifier);
  }
  return identifiers;
}
function addElementStyle(obj, options) {
  var api = options.domAPI(options);
  api.update(obj);
  var updater = function updater(newObj) {
    if (newObj) {
      if (newObj.css === obj.css && newObj.media === obj.media && newObj.sourceMap === obj.sourceMap && newObj.supports === obj.supports && newObj.layer === obj.layer) {
        return;
      }
      api.update(obj = newObj);
    } else {
      api.remove();
    }
  };
  return updater;
}
module.exports = function (list, options) {
  options = options || {};
  list = list || [];
  var lastIdentifiers = modulesToDom(list, options);
  return function update(newList) {
    newList = newList || [];
    for (var i = 0; i < lastIdentifiers.length; i++) {
      var identifier = lastIdentifiers[i];
      var index = getIndexByIdentifier(identifier);
      stylesInDOM[index].references--;
    }
    var newLastIdentifiers = modulesToDom(newList, options);
    for (var _i = 0; _i < lastIdentifiers.length; _i++) {
      var _identifier = lastIdentifiers[_i];
      var _index = getIndexByIdentifier(_identifier);
      if (stylesInDOM[_index].references === 0) {
        stylesInDOM[_index].updater();
        stylesInDOM.splice(_index, 1);
      }
    }
    lastIdentifiers = newLastIdentifiers;
  };
};
});

// MODULE: ./node_modules/style-loader/dist/runtime/insertBySelector.js
var insertBySelector_namespaceFn = /*#__PURE__*/__webpack_require__.cw((module) => {


var memo = {};

/* istanbul ignore next  */
function getTarget(target) {
  if (typeof memo[target] === "undefined") {
    var styleTarget = document.querySelector(target);

    // Special case to return head of iframe instead of iframe itself
    if (window.HTMLIFrameElement && styleTarget instanceof window.HTMLIFrameElement) {
      try {
        // This will throw an exception if access to iframe is blocked
        // due to cross-origin restrictions
        styleTarget = styleTarget.contentDocument.head;
      } catch (e) {
        // istanbul ignore next
        styleTarget = null;
      }
    }
    memo[target] = styleTarget;
  }
  return memo[target];
}

/* istanbul ignore next  */
function insertBySelector(insert, style) {
  var target = getTarget(insert);
  if (!target) {
    throw new Error("Couldn't find a style target. This probably means that the value for the 'insert' parameter is invalid.");
  }
  target.appendChild(style);
}
module.exports = insertBySelector;
});

// MODULE: ./node_modules/style-loader/dist/runtime/insertStyleElement.js
var insertStyleElement_namespaceFn = /*#__PURE__*/__webpack_require__.cw((module) => {


/* istanbul ignore next  */
function insertStyleElement(options) {
  var element = document.createElement("style");
  options.setAttributes(element, options.attributes);
  options.insert(element, options.options);
  return element;
}
module.exports = insertStyleElement;
});

// MODULE: ./node_modules/style-loader/dist/runtime/setAttributesWithoutAttributes.js
var setAttributesWithoutAttributes_namespaceFn = /*#__PURE__*/__webpack_require__.cw((module) => {


/* istanbul ignore next  */
function setAttributesWithoutAttributes(styleElement) {
  var nonce =  true ? __webpack_require__.nc : 0;
  if (nonce) {
    styleElement.setAttribute("nonce", nonce);
  }
}
module.exports = setAttributesWithoutAttributes;
});

// MODULE: ./node_modules/style-loader/dist/runtime/styleDomAPI.js
var styleDomAPI_namespaceFn = /*#__PURE__*/__webpack_require__.cw((module) => {


/* istanbul ignore next  */
function apply(styleElement, options, obj) {
  var css = "";
  if (obj.supports) {
    css += "@supports (".concat(obj.supports, ") {");
  }
  if (obj.media) {
    css += "@media ".concat(obj.media, " {");
  }
  var needLayer = typeof obj.layer !== "undefined";
  if (needLayer) {
    css += "@layer".concat(obj.layer.length > 0 ? " ".concat(obj.layer) : "", " {");
  }
  css += obj.css;
  if (needLayer) {
    css += "}";
  }
  if (obj.media) {
    css += "}";
  }
  if (obj.supports) {
    css += "}";
  }
  var sourceMap = obj.sourceMap;
  if (sourceMap && typeof btoa !== "undefined") {
    css += "\n/*# sourceMappingURL=data:application/json;base64,".concat(btoa(unescape(encodeURIComponent(JSON.stringify(sourceMap)))), " */");
  }

  // For old IE
  /* istanbul ignore if  */
  options.styleTagTransform(css, styleElement, options.options);
}
function removeStyleElement(styleElement) {
  // istanbul ignore if
  if (styleElement.parentNode === null) {
    return false;
  }
  styleElement.parentNode.removeChild(styleElement);
}

/* istanbul ignore next  */
function domAPI(options) {
  if (typeof document === "undefined") {
    return {
      update: function update() {},
      remove: function remove() {}
    };
  }
  var styleElement = options.insertStyleElement(options);
  return {
    update: function update(obj) {
      apply(styleElement, options, obj);
    },
    remove: function remove() {
      removeStyleElement(styleElement);
    }
  };
}
module.exports = domAPI;
});

// MODULE: ./node_modules/style-loader/dist/runtime/styleTagTransform.js
var styleTagTransform_namespaceFn = /*#__PURE__*/__webpack_require__.cw((module) => {


/* istanbul ignore next  */
function styleTagTransform(css, styleElement) {
  if (styleElement.styleSheet) {
    styleElement.styleSheet.cssText = css;
  } else {
    while (styleElement.firstChild) {
      styleElement.removeChild(styleElement.firstChild);
    }
    styleElement.appendChild(document.createTextNode(css));
  }
}
module.exports = styleTagTransform;
});

// EXTERNAL MODULE: consume shared module (default) @jupyterlab/apputils@^4.3.0 (singleton)
var apputils_4_3_singleton_ = __webpack_require__(5);
// EXTERNAL MODULE: consume shared module (default) @lumino/coreutils@^2.0.0 (singleton)
var coreutils_2_0_singleton_ = __webpack_require__(14);
// EXTERNAL MODULE: consume shared module (default) @lumino/widgets@^2.3.0 (singleton)
var widgets_2_3_singleton_ = __webpack_require__(15);
;// ./lib/notebook.js
/** The folder of a path, both below the server's root. */
function folderOf(path) {
    return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}
/** Insert the code of an explorer, in a cell, below the active cell of the notebook that was last active, or into a new one. */
async function sendToNotebook(app, tracker, tab) {
    const panel = tracker?.currentWidget;
    const contents = app.serviceManager.contents;
    if (panel) {
        notebook_insert(panel, await tab.content.code(folderOf(contents.localPath(panel.context.path))));
        app.shell.activateById(panel.id);
        return;
    }
    const { folder, kernel } = tab.request;
    const source = await tab.content.code(folder);
    const created = await contents.newUntitled({ path: folder, type: "notebook" });
    const spec = app.serviceManager.kernelspecs.specs?.kernelspecs[kernel ?? ""];
    await contents.save(created.path, {
        type: "notebook",
        format: "json",
        content: {
            cells: [{ cell_type: "code", id: "explorer", execution_count: null, metadata: {}, outputs: [], source }],
            metadata: spec ? { kernelspec: { name: spec.name, display_name: spec.display_name, language: spec.language } } : {},
            nbformat: 4,
            nbformat_minor: 5,
        },
    });
    await app.commands.execute("docmanager:open", { path: created.path });
}
function notebook_insert(panel, source) {
    const { content } = panel;
    const model = content.model?.sharedModel;
    if (!model)
        throw new Error("The notebook is not loaded yet.");
    const index = Math.min(content.activeCellIndex + 1, model.cells.length);
    model.insertCell(index, { cell_type: "code", source });
    content.activeCellIndex = index;
    content.deselectAll();
    void content.scrollToItem(index);
}

// EXTERNAL MODULE: ./lib/request.js
var lib_request = __webpack_require__(12);
// EXTERNAL MODULE: consume shared module (default) @jupyterlab/ui-components@^4.2.0 (singleton)
var ui_components_4_2_singleton_ = __webpack_require__(11);
// EXTERNAL MODULE: consume shared module (default) @lumino/signaling@^2.0.0 (singleton)
var signaling_2_0_singleton_ = __webpack_require__(16);
;// ./lib/notice.js
/** ``NoticeBar``: a message in a tab, with remedies as buttons. */

function notice_element(tag, name, text = "") {
    const made = document.createElement(tag);
    made.className = name;
    made.textContent = text;
    return made;
}
/** Shows what the tab waits for, or an error with its remedies. */
class NoticeBar extends widgets_2_3_singleton_.Widget {
    constructor() {
        super();
        this.addClass("camwidget-lab-notice");
        // A screen reader reads it when it changes.
        this.node.setAttribute("role", "status");
        this.hide();
    }
    say(notice) {
        this.toggleClass("camwidget-lab-waiting", notice.waiting ?? false);
        const parts = [notice_element("strong", "camwidget-lab-title", notice.title)];
        for (const paragraph of notice.text ?? [])
            parts.push(notice_element("p", "camwidget-lab-text", paragraph));
        if (notice.code)
            parts.push(notice_element("pre", "camwidget-lab-code", notice.code));
        if (notice.remedies?.length) {
            const row = notice_element("div", "camwidget-lab-remedies");
            for (const [number, remedy] of notice.remedies.entries()) {
                const button = notice_element("button", `jp-mod-styled ${number ? "jp-mod-reject" : "jp-mod-accept"}`, remedy.label);
                button.addEventListener("click", () => void remedy.run());
                row.append(button);
            }
            parts.push(row);
        }
        this.node.replaceChildren(...parts);
        this.show();
    }
}

;// ./lib/python.js
// Only public names of camwidget: the version in the kernel's environment may be older or newer than this extension.
/** MIME type of the results of the code below; notebooks do not show it. */
const ANSWER = "application/vnd.camwidget.answer+json";
const WIDGET = "application/vnd.jupyter.widget-view+json";
/** A Python literal: what JSON writes of a string is one. */
const literal = (text) => JSON.stringify(text);
const answer = (expression) => `__import__("IPython").display.display({${literal(ANSWER)}: ${expression}}, raw=True)`;
/** Returns code that shows the kernel's explorer, and makes it if there is none. Paths are absolute, for the code sent to a notebook. */
function showCode(names, state) {
    const images = names.length === 1 ? `_paths[0]` : names.length ? "_paths" : "None";
    return `
try:
    import camwidget as cw
except ModuleNotFoundError as _error:
    if _error.name != "camwidget":
        raise
    ${answer('{"python": __import__("sys").executable}')}
else:
    try:
        if not isinstance(globals().get("ex"), cw.Explorer) or ex.comm is None:
            _paths = [__import__("os").path.abspath(_name) for _name in [${names.map(literal).join(", ")}]]
            ex = cw.Explorer(images=${images})
            _state = ${state === undefined ? "None" : `__import__("json").loads(${literal(state)})`}
            if _state is not None:
                try:
                    ex.state = _state
                except cw.CamwidgetError as _error:
                    ${answer('{"unrestored": str(_error)}')}
        __import__("IPython").display.display(ex)
    except cw.CamwidgetError as _error:
        ${answer('{"refused": str(_error)}')}
`;
}
/** The state of the explorer as JSON. */
const STATE_CODE = answer('{"state": __import__("json").dumps(ex.state)}');
/** The code of the explorer, and the folder of its kernel. */
const CODE_CODE = answer('{"code": ex.code, "folder": __import__("os").getcwd()}');
/** Python raised something. */
class PythonError extends Error {
    kind;
    traceback;
    constructor(kind, message, traceback) {
        super(message);
        this.kind = kind;
        this.traceback = traceback;
    }
}
/** Run code in a kernel, beside what its user counts as inputs, and return what it displayed. */
async function run(kernel, code) {
    const future = kernel.requestExecute({ code, store_history: false, stop_on_error: false });
    let found = {};
    future.onIOPub = (message) => {
        if (message.header.msg_type !== "display_data")
            return;
        const { data } = message.content;
        if (ANSWER in data)
            found = { ...found, ...data[ANSWER] };
        if (WIDGET in data)
            found = { ...found, widget: { [WIDGET]: data[WIDGET] } };
    };
    const { content } = await future.done;
    if (content.status === "error") {
        // Terminals' colors are no text.
        throw new PythonError(content.ename, content.evalue, content.traceback.join("\n").replace(/\u001b\[[\d;]*m/g, ""));
    }
    if (content.status !== "ok")
        throw new PythonError("aborted", "The kernel gave up before it was done.", "");
    return found;
}

// EXTERNAL MODULE: consume shared module (default) @jupyterlab/rendermime@^4.2.0 (singleton)
var rendermime_4_2_singleton_ = __webpack_require__(9);
;// ./lib/widgets.js
/** ``SessionWidgets``: a widget manager for a kernel without a notebook. */


const widgets_WIDGET = "application/vnd.jupyter.widget-view+json";
/** Jupyter widgets of one session, which are shown outside a notebook. */
class SessionWidgets {
    sessionContext;
    rendermime;
    manager;
    constructor(sessionContext, rendermime) {
        this.sessionContext = sessionContext;
        this.rendermime = rendermime;
    }
    /** Listen for the widgets that the kernel makes from now on. */
    async attach() {
        if (this.manager)
            return;
        const { registerWidgetManager } = await __webpack_require__.e(/* import() */ "webpack_sharing_consume_default_jupyter-widgets_jupyterlab-manager").then(() => (__webpack_require__.t(20, 23)));
        // The manager expects a notebook's document; it uses only the session, and the metadata of stored widgets.
        const document = {
            sessionContext: this.sessionContext,
            model: { getMetadata: () => undefined, setMetadata: () => undefined, dirty: false },
            saveState: new signaling_2_0_singleton_.Signal({}),
            disposed: this.sessionContext.disposed,
            path: this.sessionContext.path,
            urlResolver: { resolveUrl: async (url) => url, getDownloadUrl: async (url) => url },
        };
        await this.sessionContext.ready;
        this.manager = registerWidgetManager(document, this.rendermime, []);
        // It takes its place among the renderers once it has seen that the session is ready.
        await new Promise((resolve) => setTimeout(resolve));
    }
    /** A view of a widget that the session's kernel has displayed. */
    async view(data) {
        const renderer = this.rendermime.createRenderer(widgets_WIDGET);
        await renderer.renderModel(new rendermime_4_2_singleton_.MimeModel({ data: data, trusted: true }));
        return renderer;
    }
    get isDisposed() {
        return this.manager?.isDisposed ?? false;
    }
    dispose() {
        this.manager?.dispose();
    }
}

;// ./lib/content.js






/** Milliseconds without a message of a widget after which the explorer's state is read. */
const QUIET = 800;
/** An explorer with a kernel of its own; a notice in its place while there is none. */
class ExplorerContent extends widgets_2_3_singleton_.Panel {
    sessionContext;
    dialogs;
    _request;
    notice = new NoticeBar();
    sessionWidgets;
    _requestChanged = new signaling_2_0_singleton_.Signal(this);
    view;
    /** Counts starts: what an earlier one still waits for is dropped. */
    turn = 0;
    isStarting = false;
    isShown = false;
    timer;
    constructor(sessionContext, rendermime, dialogs, _request) {
        super();
        this.sessionContext = sessionContext;
        this.dialogs = dialogs;
        this._request = _request;
        this.addClass("camwidget-lab-content");
        this.addWidget(this.notice);
        this.sessionWidgets = new SessionWidgets(sessionContext, rendermime);
        sessionContext.statusChanged.connect((_, status) => this.kernelIs(status));
        sessionContext.kernelChanged.connect((_, { newValue }) => {
            if (this.isStarting)
                return;
            if (newValue === null)
                this.lost("The kernel has been shut down.");
            else if (this.isShared)
                this.refuse();
            else
                void this.start();
        });
        sessionContext.iopubMessage.connect((_, message) => this.heard(message));
    }
    /** What is shown, to show it again. */
    get request() {
        return this._request;
    }
    get requestChanged() {
        return this._requestChanged;
    }
    /** Whether a notebook or a console uses the kernel too: it is not ended with the tab then. */
    get isShared() {
        const { session, sessionManager } = this.sessionContext;
        const others = [...sessionManager.running()].filter(({ path }) => path !== session?.path);
        return others.some(({ kernel }) => kernel?.id === session?.kernel?.id);
    }
    /** Show the explorer, in the kernel that there is or in a new one. */
    async start() {
        const turn = ++this.turn;
        this.isStarting = true;
        this.isShown = false;
        try {
            await this.tryStart(turn);
        }
        catch (error) {
            if (turn === this.turn)
                this.failed(error);
        }
        finally {
            if (turn === this.turn)
                this.isStarting = false;
        }
    }
    /** End what the kernel holds, and show the same in a new one. */
    async restart() {
        this.turn += 1;
        this.isStarting = true;
        try {
            this.say({ title: "Restarting the kernel …", waiting: true });
            if (this.sessionContext.session?.kernel)
                await this.sessionContext.restartKernel();
            else
                await this.sessionContext.startKernel();
        }
        catch (error) {
            this.failed(error);
            this.isStarting = false;
            return;
        }
        await this.start();
    }
    /**
     * The Python code that shows the explorer again. Paths in it start at a folder, given below the server's root.
     */
    async code(folder) {
        const kernel = this.sessionContext.session?.kernel;
        if (!kernel || !this.isShown)
            throw new Error("There is no explorer in this tab yet.");
        const { code = "", folder: absolute = "" } = await run(kernel, CODE_CODE);
        const text = code.replaceAll(`"${absolute}/`, `"${(0,lib_request/* way */.Mr)(folder, this._request.folder)}`);
        // The explorer that it shows has the second part, the same without the widget, behind its button "code".
        return text.split(/^# The same without the widget/m)[0].trimEnd();
    }
    async tryStart(turn) {
        const { sessionContext } = this;
        if (!sessionContext.session?.kernel) {
            this.say({ title: "Starting a kernel …", waiting: true });
            await (sessionContext.isReady ? sessionContext.startKernel() : sessionContext.initialize());
            if (turn !== this.turn)
                return;
        }
        await sessionContext.specsManager.ready;
        const specs = sessionContext.specsManager.specs?.kernelspecs;
        const kernel = sessionContext.session?.kernel;
        if (!kernel) {
            const wanted = specs?.[this._request.kernel ?? ""];
            if (wanted) {
                this.say({
                    title: `${wanted.display_name} did not start.`,
                    text: ["The server's log says why. Choose another kernel, or try again."],
                    remedies: [this.chooseKernel, this.tryAgain],
                });
                return;
            }
            this.say({
                title: "There is no kernel for Python here.",
                text: [
                    "An explorer runs in a Python kernel. Choose one; if none is listed, install one in the environment that has camwidget, and reload this page:",
                ],
                code: "python -m pip install ipykernel\npython -m ipykernel install --user",
                remedies: [this.chooseKernel],
            });
            return;
        }
        const spec = specs?.[kernel.name];
        const language = spec?.language ?? "python";
        if (language.toLowerCase() !== "python") {
            this.say({
                title: `${spec?.display_name ?? kernel.name} is not a Python kernel.`,
                text: ["Choose a Python kernel whose environment has camwidget."],
                remedies: [this.chooseKernel],
            });
            return;
        }
        this.say({ title: `Loading camwidget in ${spec?.display_name ?? kernel.name} …`, waiting: true });
        this.remember({ kernel: kernel.name });
        try {
            await this.sessionWidgets.attach();
        }
        catch (error) {
            console.error(error);
            this.say({
                title: "There is no widget manager here.",
                text: ["Explorers are Jupyter widgets. Install their manager in the environment that this application runs in, and start it again:"],
                code: "python -m pip install jupyterlab_widgets",
            });
            return;
        }
        if (turn !== this.turn)
            return;
        const answer = await run(kernel, showCode(this._request.names, this._request.state));
        if (turn !== this.turn)
            return;
        if (answer.python !== undefined) {
            this.say({
                title: `There is no camwidget in the environment of ${spec?.display_name ?? kernel.name}.`,
                text: ["Choose a kernel that has it, or install it there and try again:"],
                code: `${answer.python} -m pip install camwidget`,
                remedies: [this.chooseKernel, this.tryAgain],
            });
            return;
        }
        if (answer.refused !== undefined) {
            this.say({ title: "There is nothing to explore.", text: [answer.refused], remedies: [this.tryAgain] });
            return;
        }
        if (answer.widget)
            await this.place(answer.widget, turn);
        if (turn !== this.turn)
            return;
        this.isShown = true;
        if (answer.unrestored === undefined)
            this.notice.hide();
        else {
            this.say({
                title: "The explorer is new: what it showed before could not be restored.",
                text: [answer.unrestored],
                remedies: [{ label: "Close this message", run: () => this.notice.hide() }],
            });
        }
    }
    async place(data, turn) {
        const view = await this.sessionWidgets.view(data);
        if (turn !== this.turn)
            return view.dispose();
        this.view?.dispose();
        this.view = view;
        view.addClass("camwidget-lab-view");
        this.addWidget(view);
    }
    say(notice) {
        this.notice.say(notice);
        // What a kernel has left can still be looked at; while another is on its way, it is about to be replaced.
        if (this.view)
            this.view.node.inert = notice.waiting ?? false;
        this.node.scrollTop = 0;
    }
    /** Another's kernel has variables of its own, and shows widgets in its own document only. */
    refuse() {
        this.turn += 1;
        this.isShown = false;
        this.say({
            title: "This kernel belongs to a notebook or a console.",
            text: ["An explorer has a kernel of its own. Choose one under “Start Kernel”, or show an explorer in the notebook itself, in a cell:"],
            code: "import camwidget as cw\ncw.Explorer()",
            remedies: [this.chooseKernel],
        });
    }
    failed(error) {
        const { message } = error;
        if (error instanceof PythonError) {
            this.say({
                title: "Python could not make the explorer.",
                text: [`${error.kind}: ${message}`],
                code: error.traceback,
                remedies: [this.tryAgain, this.chooseKernel],
            });
        }
        else {
            this.say({ title: "The explorer could not be shown.", text: [message], remedies: [this.tryAgain, this.chooseKernel] });
        }
    }
    lost(title, again = () => this.restart()) {
        this.turn += 1;
        this.isStarting = this.isShown = false;
        this.say({
            title,
            text: ["You can still mask and view the picture below. Restart the kernel to go on from where it was last."],
            remedies: [{ label: "Restart", run: again }, this.chooseKernel],
        });
    }
    kernelIs(status) {
        const died = "The kernel died. Perhaps it ran out of memory.";
        if (status === "dead")
            this.lost(died);
        else if (status === "autorestarting") {
            // The server is starting another by itself.
            this.lost(died, () => this.start());
        }
        else if (status === "restarting" && !this.isStarting) {
            this.lost("The kernel has been restarted.");
        }
    }
    heard(message) {
        if (message.header.msg_type !== "comm_msg" || !this.isShown)
            return;
        window.clearTimeout(this.timer);
        this.timer = window.setTimeout(() => void this.readState(), QUIET);
    }
    async readState() {
        const kernel = this.sessionContext.session?.kernel;
        if (!kernel || !this.isShown)
            return;
        try {
            const { state } = await run(kernel, STATE_CODE);
            if (state !== undefined)
                this.remember({ state });
        }
        catch {
            // The kernel went away meanwhile: the state that was read before stands.
        }
    }
    remember(news) {
        this._request = { ...this._request, ...news };
        this._requestChanged.emit(this._request);
    }
    chooseKernel = {
        label: "Choose a kernel …",
        run: () => this.dialogs.selectKernel(this.sessionContext),
    };
    tryAgain = { label: "Try again", run: () => this.start() };
    dispose() {
        if (this.isDisposed)
            return;
        this.turn += 1;
        window.clearTimeout(this.timer);
        this.sessionWidgets.dispose();
        signaling_2_0_singleton_.Signal.clearData(this);
        super.dispose();
    }
}

// EXTERNAL MODULE: ./lib/icon.js
var icon = __webpack_require__(10);
;// ./node_modules/style-loader/dist/runtime/injectStylesIntoStyleTag.js
injectStylesIntoStyleTag_namespaceFn();

function injectStylesIntoStyleTag_default() { return injectStylesIntoStyleTag_default.c || (injectStylesIntoStyleTag_default.c = __webpack_require__.n(injectStylesIntoStyleTag_namespaceFn())); }
;// ./node_modules/style-loader/dist/runtime/styleDomAPI.js
styleDomAPI_namespaceFn();

function styleDomAPI_default() { return styleDomAPI_default.c || (styleDomAPI_default.c = __webpack_require__.n(styleDomAPI_namespaceFn())); }
;// ./node_modules/style-loader/dist/runtime/insertBySelector.js
insertBySelector_namespaceFn();

function insertBySelector_default() { return insertBySelector_default.c || (insertBySelector_default.c = __webpack_require__.n(insertBySelector_namespaceFn())); }
;// ./node_modules/style-loader/dist/runtime/setAttributesWithoutAttributes.js
setAttributesWithoutAttributes_namespaceFn();

function setAttributesWithoutAttributes_default() { return setAttributesWithoutAttributes_default.c || (setAttributesWithoutAttributes_default.c = __webpack_require__.n(setAttributesWithoutAttributes_namespaceFn())); }
;// ./node_modules/style-loader/dist/runtime/insertStyleElement.js
insertStyleElement_namespaceFn();

function insertStyleElement_default() { return insertStyleElement_default.c || (insertStyleElement_default.c = __webpack_require__.n(insertStyleElement_namespaceFn())); }
;// ./node_modules/style-loader/dist/runtime/styleTagTransform.js
styleTagTransform_namespaceFn();

function styleTagTransform_default() { return styleTagTransform_default.c || (styleTagTransform_default.c = __webpack_require__.n(styleTagTransform_namespaceFn())); }
// EXTERNAL MODULE: ./node_modules/css-loader/dist/cjs.js!./style/tab.css
var tab = __webpack_require__(17);
;// ./style/tab.css

      
      
      
      
      
      
      
      
      

var tab_options = {};

tab_options.styleTagTransform = (styleTagTransform_default()());
tab_options.setAttributes = (setAttributesWithoutAttributes_default()());

      tab_options.insert = (insertBySelector_default()().bind)(null, "head");
    
tab_options.domAPI = (styleDomAPI_default()());
tab_options.insertStyleElement = (insertStyleElement_default()());

var tab_update = injectStylesIntoStyleTag_default()()(tab/* default */.A, tab_options);




       /* harmony default export */ const style_tab = (tab/* default */.A && tab/* default */.A.locals ? tab/* default */.A.locals : undefined);

;// ./lib/tab.js
/** ``ExplorerTab``: an explorer in a tab of the main area or the side panel. */







/** An explorer in a tab of its own. */
class ExplorerTab extends apputils_4_3_singleton_.MainAreaWidget {
    sessionContext;
    constructor(content, sessionContext, dialogs, actions) {
        super({ content });
        this.sessionContext = sessionContext;
        this.id = `camwidget-${coreutils_2_0_singleton_.UUID.uuid4()}`;
        this.addClass("camwidget-lab-tab");
        const { title } = this;
        title.icon = icon/* explorerIcon */.b;
        title.label = (0,lib_request/* titleOf */.Gg)(content.request);
        title.closable = true;
        title.caption = content.request.names.map((name) => (0,lib_request/* join */.fj)(content.request.folder, name)).join("\n") || "Explorer of the embedded model";
        this.toolbar.addItem("send", new ui_components_4_2_singleton_.ToolbarButton({ icon: ui_components_4_2_singleton_.notebookIcon, label: "Send to notebook", tooltip: "Insert the code of what is shown into the notebook that was last active", onClick: () => void actions.send(this) }));
        const { move } = actions;
        if (move) {
            this.toolbar.addItem("move", new ui_components_4_2_singleton_.ToolbarButton({ label: "Side panel", tooltip: "Move this explorer to the side panel, or back", onClick: () => move(this) }));
        }
        this.toolbar.addItem("spacer", ui_components_4_2_singleton_.Toolbar.createSpacerItem());
        this.toolbar.addItem("restart", new ui_components_4_2_singleton_.ToolbarButton({ icon: ui_components_4_2_singleton_.refreshIcon, tooltip: "Restart the kernel, and show the same again", onClick: () => void content.restart() }));
        this.toolbar.addItem("kernel", apputils_4_3_singleton_.Toolbar.createKernelNameItem(sessionContext, dialogs));
        this.toolbar.addItem("status", apputils_4_3_singleton_.Toolbar.createKernelStatusItem(sessionContext));
    }
    get request() {
        return this.content.request;
    }
    dispose() {
        if (this.isDisposed)
            return;
        if (this.sessionContext.session && !this.content.isShared)
            void this.sessionContext.shutdown();
        super.dispose();
        this.sessionContext.dispose();
    }
}
/** Make a tab, and start what it shows. */
function createTab(manager, rendermime, dialogs, request, actions) {
    const sessionContext = new apputils_4_3_singleton_.SessionContext({
        kernelManager: manager.kernels,
        sessionManager: manager.sessions,
        specsManager: manager.kernelspecs,
        path: request.session,
        type: "camwidget",
        name: (0,lib_request/* titleOf */.Gg)(request),
        kernelPreference: {
            language: "python",
            ...(request.kernel === undefined ? {} : { name: request.kernel }),
        },
    });
    const content = new ExplorerContent(sessionContext, rendermime.clone(), dialogs, request);
    const tab = new ExplorerTab(content, sessionContext, dialogs, actions);
    void content.start();
    return tab;
}

;// ./lib/open.js






/** Open an explorer. */
async function openTab(around, wanted) {
    const { app, rendermime, tabs } = around;
    const folder = wanted.folder ?? "";
    await app.serviceManager.kernelspecs.ready;
    const kernel = wanted.kernel ?? kernelFor(around);
    const request = {
        names: [],
        session: (0,lib_request/* join */.fj)(folder, `camwidget-${coreutils_2_0_singleton_.UUID.uuid4()}`),
        ...(kernel === undefined ? {} : { kernel }),
        ...wanted,
        folder,
    };
    const tab = createTab(app.serviceManager, rendermime, around.dialogs ?? new apputils_4_3_singleton_.SessionContextDialogs(), request, {
        send: (from) => send(around, from),
        move: around.lab ? (moved) => move(around, moved) : undefined,
    });
    tab.content.requestChanged.connect(() => void tabs.save(tab));
    await tabs.add(tab);
    place(app, tab);
    return tab;
}
/** Insert an explorer's code into a notebook, and say why where that fails. */
async function send(around, tab) {
    try {
        await sendToNotebook(around.app, around.notebooks, tab);
    }
    catch (error) {
        apputils_4_3_singleton_.Notification.error(`Not sent to a notebook: ${error.message}`);
    }
}
/** Move a tab between the main area of Lab and its side panel. */
function move({ lab }, tab) {
    if (!lab)
        return;
    const inMain = [...lab.widgets("main")].includes(tab);
    lab.add(tab, inMain ? "right" : "main");
    lab.activateById(tab.id);
}
/** The kernel of the notebook that was last active if it speaks Python, otherwise the default or the first that does. */
function kernelFor({ app, notebooks }) {
    const specs = app.serviceManager.kernelspecs.specs;
    const speaks = (name) => specs?.kernelspecs[name ?? ""]?.language.toLowerCase() === "python";
    const names = [notebooks?.currentWidget?.sessionContext.session?.kernel?.name, specs?.default, ...Object.keys(specs?.kernelspecs ?? {})];
    return names.find(speaks);
}
/** Lab's main area takes tabs; of Notebook 7 the tree has tabs, and a notebook's page only side panels. */
function place(app, tab) {
    const { shell } = app;
    const tree = [...shell.widgets("main")].find((widget) => widget instanceof widgets_2_3_singleton_.TabPanel);
    if (tree) {
        tree.addWidget(tab);
        tree.currentWidget = tab;
        tree.tabBar.tabCloseRequested.connect(closeTab);
        return;
    }
    shell.add(tab, "main");
    if (!tab.isAttached)
        shell.add(tab, "right");
    shell.activateById(tab.id);
}
function closeTab(_, { title }) {
    title.owner.close();
}


/***/ },

/***/ 17
(module, __webpack_exports__, __webpack_require__) {

/* harmony import */ var _node_modules_css_loader_dist_runtime_noSourceMaps_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(18);
/* harmony import */ var _node_modules_css_loader_dist_runtime_noSourceMaps_js__WEBPACK_IMPORTED_MODULE_0___default = /*#__PURE__*/__webpack_require__.n(_node_modules_css_loader_dist_runtime_noSourceMaps_js__WEBPACK_IMPORTED_MODULE_0__);
/* harmony import */ var _node_modules_css_loader_dist_runtime_api_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(19);
/* harmony import */ var _node_modules_css_loader_dist_runtime_api_js__WEBPACK_IMPORTED_MODULE_1___default = /*#__PURE__*/__webpack_require__.n(_node_modules_css_loader_dist_runtime_api_js__WEBPACK_IMPORTED_MODULE_1__);
// Imports


var ___CSS_LOADER_EXPORT___ = _node_modules_css_loader_dist_runtime_api_js__WEBPACK_IMPORTED_MODULE_1___default()((_node_modules_css_loader_dist_runtime_noSourceMaps_js__WEBPACK_IMPORTED_MODULE_0___default()));
// Module
___CSS_LOADER_EXPORT___.push([module.id, `.camwidget-lab-tab .jp-ToolbarButtonComponent svg + .jp-ToolbarButtonComponent-label {
  margin-left: 4px;
}

.camwidget-lab-content {
  /* A side panel is opened this wide; the tab takes it over from its content. */
  min-width: 340px;
  overflow: auto;
  /* As behind a notebook's outputs. */
  background: var(--jp-layout-color0);
  color: var(--jp-ui-font-color1);
}

.camwidget-lab-view {
  padding: 4px 12px;
}

.camwidget-lab-view[inert] {
  opacity: 0.5;
}

.camwidget-lab-notice {
  max-width: 42em;
  margin: 16px;
  padding: 12px 16px;
  border-left: 3px solid var(--jp-warn-color1);
  background: var(--jp-layout-color2);
  font-family: var(--jp-ui-font-family);
  font-size: var(--jp-ui-font-size1);
  line-height: 1.5;
}

.camwidget-lab-waiting {
  border-left-color: var(--jp-brand-color1);
}

.camwidget-lab-text {
  margin: 6px 0;
}

.camwidget-lab-code {
  max-height: 16em;
  margin: 8px 0;
  padding: 8px;
  overflow: auto;
  background: var(--jp-layout-color1);
  font-family: var(--jp-code-font-family);
  font-size: var(--jp-code-font-size);
  white-space: pre-wrap;
  overflow-wrap: anywhere;
  user-select: text;
}

.camwidget-lab-remedies {
  display: flex;
  flex-wrap: wrap;
  gap: 8px;
  margin-top: 10px;
}

/* The notice above says it, and here there is no cell to run again. */
.camwidget-lab-view .camwidget-disconnected .camwidget-connection {
  display: none;
}
`, ""]);
// Exports
/* harmony default export */ const __WEBPACK_DEFAULT_EXPORT__ = (___CSS_LOADER_EXPORT___);

/* harmony export */ __webpack_require__.d(__webpack_exports__, [
/* harmony export */   "A", 0, __WEBPACK_DEFAULT_EXPORT__
/* harmony export */ ]);


/***/ },

/***/ 19
(module) {



/*
  MIT License http://www.opensource.org/licenses/mit-license.php
  Author Tobias Koppers @sokra
*/
module.exports = function (cssWithMappingToString) {
  var list = [];

  // return the list of modules as css string
  list.toString = function toString() {
    return this.map(function (item) {
      var content = "";
      var needLayer = typeof item[5] !== "undefined";
      if (item[4]) {
        content += "@supports (".concat(item[4], ") {");
      }
      if (item[2]) {
        content += "@media ".concat(item[2], " {");
      }
      if (needLayer) {
        content += "@layer".concat(item[5].length > 0 ? " ".concat(item[5]) : "", " {");
      }
      content += cssWithMappingToString(item);
      if (needLayer) {
        content += "}";
      }
      if (item[2]) {
        content += "}";
      }
      if (item[4]) {
        content += "}";
      }
      return content;
    }).join("");
  };

  // import a list of modules into the list
  list.i = function i(modules, media, dedupe, supports, layer) {
    if (typeof modules === "string") {
      modules = [[null, modules, undefined]];
    }
    var alreadyImportedModules = {};
    if (dedupe) {
      for (var k = 0; k < this.length; k++) {
        var id = this[k][0];
        if (id != null) {
          alreadyImportedModules[id] = true;
        }
      }
    }
    for (var _k = 0; _k < modules.length; _k++) {
      var item = [].concat(modules[_k]);
      if (dedupe && alreadyImportedModules[item[0]]) {
        continue;
      }
      if (typeof layer !== "undefined") {
        if (typeof item[5] === "undefined") {
          item[5] = layer;
        } else {
          item[1] = "@layer".concat(item[5].length > 0 ? " ".concat(item[5]) : "", " {").concat(item[1], "}");
          item[5] = layer;
        }
      }
      if (media) {
        if (!item[2]) {
          item[2] = media;
        } else {
          item[1] = "@media ".concat(item[2], " {").concat(item[1], "}");
          item[2] = media;
        }
      }
      if (supports) {
        if (!item[4]) {
          item[4] = "".concat(supports);
        } else {
          item[1] = "@supports (".concat(item[4], ") {").concat(item[1], "}");
          item[4] = supports;
        }
      }
      list.push(item);
    }
  };
  return list;
};

/***/ },

/***/ 18
(module) {



module.exports = function (i) {
  return i[1];
};

/***/ }

}]);
"use strict";
(Array.isArray(self["webpackChunkcamwidget"]) ? self["webpackChunkcamwidget"] : (self["webpackChunkcamwidget"] = [])).push([["lib_index_js"],{

/***/ 2
(__unused_webpack_module, __webpack_exports__, __webpack_require__) {

__webpack_require__.r(__webpack_exports__);
const loader = {
    id: "camwidget:loader",
    description: "Loads camwidget's commands in JupyterLab and Jupyter Notebook.",
    autoStart: true,
    activate: async (app) => {
        const loaded = await __webpack_require__.e(/* import() */ "lib_plugin_js").then(() => (__webpack_require__(3))).catch((error) => {
            console.debug("camwidget adds no commands to this application:", error);
            return null;
        });
        if (loaded === null)
            return;
        app.registerPlugin(loaded.default);
        await app.activatePlugin(loaded.default.id);
    },
};
/* harmony default export */ const __WEBPACK_DEFAULT_EXPORT__ = (loader);

/* harmony export */ __webpack_require__.d(__webpack_exports__, [
/* harmony export */   "default", 0, __WEBPACK_DEFAULT_EXPORT__
/* harmony export */ ]);


/***/ }

}]);
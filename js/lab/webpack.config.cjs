// Our own code stays readable, since it is committed and reviewed; the loader, which every page of the host fetches, is small.
const TerserPlugin = require("terser-webpack-plugin");

module.exports = {
  devtool: false,
  optimization: {
    chunkIds: "named",
    // By order: webpack makes its own choice from absolute paths, and what is built would differ from place to place.
    moduleIds: "natural",
    minimizer: [new TerserPlugin({ include: /remoteEntry/, extractComments: false })],
  },
};

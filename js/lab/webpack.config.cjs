// Our own code stays readable, since it is committed and reviewed; the loader, which every page of the host fetches, is small.
const TerserPlugin = require("terser-webpack-plugin");

module.exports = {
  devtool: false,
  optimization: {
    chunkIds: "named",
    minimizer: [new TerserPlugin({ include: /remoteEntry/, extractComments: false })],
  },
};

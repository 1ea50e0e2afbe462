/** Methods of the harness: six families, more than the library has. */
import type { Method } from "../src/view/traits";

const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  "Class activation": ["CAM", "Grad-CAM", "Grad-CAM++", "LayerCAM", "HiResCAM", "XGrad-CAM", "Eigen-CAM"],
  Scores: ["Score-CAM…", "Ablation-CAM…", "SS-CAM…"],
  Gradients: ["Gradient", "Gradient × input", "Guided backprop", "SmoothGrad…", "Integrated gradients…", "VarGrad…"],
  Relevance: ["LRP-ε…", "LRP-αβ…", "DeepLIFT"],
  Perturbation: ["Occlusion…", "RISE…", "LIME…", "Meaningful perturbation…"],
  Control: ["Random", "Edges"],
};

const REASONS: Readonly<Record<string, string>> = {
  CAM: "the model has no global average pooling before its last layer",
  "LRP-αβ": "there is no rule for the module GroupNorm",
};

/** A name that ends in … reruns the model. */
export const METHODS: readonly Method[] = Object.entries(FAMILIES).flatMap(([group, names]) =>
  names.map((marked) => {
    const label = marked.replace("…", "");
    const tip = `${label}: what it does in one sentence.`;
    return { name: label.toLowerCase(), label, group, tip, reason: REASONS[label] ?? null, against: null, rather: null, settings: [], slow: label !== marked };
  }),
);

/** These are about the picture itself. */
export function isAtInput({ group }: Method): boolean {
  return ["Gradients", "Relevance", "Perturbation"].includes(group);
}

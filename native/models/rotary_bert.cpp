#include "models/rotary_bert.h"

namespace st {

std::vector<Layer<GatedFeedForward>> RotaryBertLayers::add_to(Layout& layout, const std::string& prefix,
                                                              uint32_t site) const {
  const int64_t width = sizes.width;
  const Rotary rotary = rotary_of(rope, 2 * sizes.heads, width / sizes.heads);
  std::vector<Layer<GatedFeedForward>> layers;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string layer = prefix + std::to_string(i) + ".", self = layer + "self_attn.", mlp = layer + "mlp.";
    const Linear qkv(layout, {{self + "q_proj", width}, {self + "k_proj", width}, {self + "v_proj", width}}, width,
                     projection_bias, self + "qkv_proj");
    const Linear mix(layout, self + "o_proj", width, width, projection_bias);
    const Norm attention_norm(layout, layer + "post_attention_layernorm", width, norm);
    const OutputBlock mixed(mix, attention_norm, NormPlace::kPost, sizes.dropout, site + 1);
    const Linear inner(layout, {{mlp + "up_proj", sizes.inner}, {mlp + "gate_proj", sizes.inner}}, width, false,
                       mlp + "up_gate_proj");
    const Linear down(layout, mlp + "down_proj", sizes.inner, width, down_bias);
    const Norm mlp_norm(layout, layer + "post_mlp_layernorm", width, norm);
    const OutputBlock output(down, mlp_norm, NormPlace::kPost, sizes.dropout, site + 3);
    layers.push_back(
        {SelfAttention(qkv, rotary, self_attention_shape(sizes.heads, width), {}, sizes.attention_dropout, site, mixed),
         GatedFeedForward(inner, {activation, false}, inner_dropout, site + 2, output)});
    site += 4;
  }
  return layers;
}

}  // namespace st

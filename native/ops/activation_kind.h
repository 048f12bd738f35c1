#pragma once

namespace st {

// Apart from ops/activation.h because the kernels, which include no ATen header, know it too.
enum class Activation { kIdentity, kGelu, kGeluTanh, kRelu, kTanh, kSigmoid, kSilu };

// Those that are built for the middle of a feed-forward block.
constexpr bool is_feed_forward(Activation activation) {
  return activation == Activation::kGelu || activation == Activation::kGeluTanh || activation == Activation::kRelu ||
         activation == Activation::kSilu;
}

}  // namespace st

#pragma once

namespace st {

// Separate from ops/activation.h, because the kernels use it and include no ATen header.
enum class Activation { kIdentity, kGelu, kGeluTanh, kRelu, kTanh, kSigmoid, kSilu };

// Those that are built for feed-forward blocks.
constexpr bool is_feed_forward(Activation activation) {
  return activation == Activation::kGelu || activation == Activation::kGeluTanh || activation == Activation::kRelu ||
         activation == Activation::kSilu;
}

}  // namespace st

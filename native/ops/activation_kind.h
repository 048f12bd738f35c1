#pragma once

namespace st {

// Apart from ops/activation.h because the kernels, which include no ATen header, know it too.
enum class Activation { kIdentity, kGelu, kGeluTanh, kRelu, kTanh, kSigmoid, kSilu };

}  // namespace st

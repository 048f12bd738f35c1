#pragma once

#include <string>

#include "layers/pass.h"

namespace st {

// What transformers makes of the first token of each row: tanh(W x + b). It is not trained.
class Pooler {
 public:
  // Adds `<prefix>pooler.dense.{weight,bias}`.
  Pooler(Layout& layout, const std::string& prefix, int64_t width);
  at::Tensor output(const Pass& pass, const at::Tensor& x_TD) const;  // [rows, width]

 private:
  ParamId weight_, bias_;
};

}  // namespace st

#pragma once

#include <string>
#include <vector>

#include "engine/tensors.h"

namespace st {

// The operation `name` of lib/tensor, on tensors of the shapes and types that lib/tensor has checked. What depends on
// values (an index out of range) is checked here; anything else that does not fit throws, too. `arrays`: values that
// the operation `data` takes, each once.
at::Tensor run_tensor_op(const std::string& name, const std::vector<at::Tensor>& in, const Config& options,
                         std::vector<HostArray>& arrays);

}  // namespace st

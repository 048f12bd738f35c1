#pragma once

#include <string>
#include <vector>

#include "onnx/graph.h"

namespace st::onnx {

// pool() of ops/pooling.h over padded rows, prompts included: [B, modes * D] of x_BSD.
Value pool_BD(Graph& graph, const Value& x_BSD, const std::vector<std::string>& modes);

}  // namespace st::onnx

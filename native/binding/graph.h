#pragma once

#include <napi.h>

#include "onnx/graph.h"

namespace st::binding {

// OnnxGraph of lib/native/types.ts.
Napi::Object from_graph(Napi::Env env, const onnx::Model& model);

}  // namespace st::binding

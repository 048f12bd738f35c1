#pragma once

#include <napi.h>

namespace st::binding {

// maxSim and poolTokens of lib/native/types.ts.
Napi::Value score_vectors(const Napi::CallbackInfo& info);
Napi::Value pool_vectors(const Napi::CallbackInfo& info);

}  // namespace st::binding

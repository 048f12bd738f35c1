#pragma once

#include <napi.h>

namespace st::binding {

// `describe` of lib/native/types.ts.
Napi::Value describe_model(const Napi::CallbackInfo& info);

}  // namespace st::binding

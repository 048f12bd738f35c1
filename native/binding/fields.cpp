#include "binding/fields.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "binding/convert.h"
#include "core/error.h"

namespace st::binding {

std::vector<std::string> own_names(Napi::Object object) {
  napi_value names = nullptr;
  const auto filter = static_cast<napi_key_filter>(napi_key_enumerable | napi_key_skip_symbols);
  const napi_status status =
      napi_get_all_property_names(object.Env(), object, napi_key_own_only, filter, napi_key_numbers_to_strings, &names);
  if (status != napi_ok) throw Napi::Error::New(object.Env());
  const Napi::Array array(object.Env(), names);
  std::vector<std::string> list;
  for (uint32_t i = 0; i < array.Length(); ++i) list.push_back(array.Get(i).As<Napi::String>().Utf8Value());
  return list;
}

Fields::Fields(Napi::Value value, std::string where, std::initializer_list<const char*> known)
    : where_(std::move(where)) {
  if (!value.IsObject() || value.IsArray() || value.IsTypedArray() || value.IsFunction()) {
    wrong_type(where_, "an object", value);
  }
  object_ = value.As<Napi::Object>();
  for (const std::string& name : own_names(object_)) {
    if (std::any_of(known.begin(), known.end(), [&](const char* candidate) { return name == candidate; })) continue;
    std::string list;
    for (const char* candidate : known) list += (list.empty() ? "" : ", ") + std::string(candidate);
    fail("ERR_UNKNOWN_OPTION", "Unknown member ", name, " of ", where_, ": expected ", list);
  }
}

Napi::Value Fields::get(const char* name) const {
  return object_.Get(name);
}

std::string Fields::string(const char* name) const {
  return to_string(get(name), path(name));
}

double Fields::number(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsNumber() || !std::isfinite(value.As<Napi::Number>().DoubleValue())) {
    wrong_type(path(name), "a finite number", value);
  }
  return value.As<Napi::Number>().DoubleValue();
}

bool Fields::boolean(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsBoolean()) wrong_type(path(name), "true or false", value);
  return value.As<Napi::Boolean>().Value();
}

}  // namespace st::binding

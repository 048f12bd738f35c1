#include "core/config.h"

#include <array>
#include <cmath>
#include <cstdio>

#include "core/error.h"

namespace st {

namespace {

[[noreturn]] void wrong_type(const std::string& key, const char* expected, const char* found) {
  fail("ERR_INVALID_ARGUMENT", "Expected ", expected, " for ", key, " but found ", found);
}

}  // namespace

const Config::Object& Config::object() const {
  if (auto* object = std::get_if<Object>(&value_)) return *object;
  fail("ERR_INVALID_ARGUMENT", "Expected an object of options but found ", kind());
}

bool Config::has(const std::string& key) const {
  auto found = object().find(key);
  return found != object().end() && !found->second.is_null();
}

const Config& Config::member(const std::string& key) const {
  auto found = object().find(key);
  if (found == object().end()) wrong_type(key, "a value", "none");
  return found->second;
}

double Config::number(const std::string& key) const {
  const Config& value = member(key);
  if (auto* number = std::get_if<double>(&value.value_)) return *number;
  wrong_type(key, "a number", value.kind());
}

int64_t Config::integer(const std::string& key) const {
  const double value = number(key);
  if (value != std::floor(value) || std::abs(value) > 9e15) wrong_type(key, "an integer", "a fraction");
  return static_cast<int64_t>(value);
}

bool Config::boolean(const std::string& key) const {
  const Config& value = member(key);
  if (auto* flag = std::get_if<bool>(&value.value_)) return *flag;
  wrong_type(key, "true or false", value.kind());
}

const std::string& Config::string(const std::string& key) const {
  const Config& value = member(key);
  if (auto* text = std::get_if<std::string>(&value.value_)) return *text;
  wrong_type(key, "a string", value.kind());
}

std::vector<std::string> Config::strings(const std::string& key) const {
  const Config& value = member(key);
  auto* array = std::get_if<Array>(&value.value_);
  if (array == nullptr) wrong_type(key, "an array of strings", value.kind());
  std::vector<std::string> out;
  for (const Config& item : *array) {
    auto* text = std::get_if<std::string>(&item.value_);
    if (text == nullptr) wrong_type(key, "an array of strings", item.kind());
    out.push_back(*text);
  }
  return out;
}

std::vector<double> Config::numbers(const std::string& key) const {
  if (!has(key)) return {};
  const Config& value = member(key);
  auto* array = std::get_if<Array>(&value.value_);
  if (array == nullptr) wrong_type(key, "an array of numbers", value.kind());
  std::vector<double> out;
  for (const Config& item : *array) {
    auto* number = std::get_if<double>(&item.value_);
    if (number == nullptr) wrong_type(key, "an array of numbers", item.kind());
    out.push_back(*number);
  }
  return out;
}

int64_t Config::integer(const std::string& key, int64_t fallback) const {
  return has(key) ? integer(key) : fallback;
}
double Config::number(const std::string& key, double fallback) const {
  return has(key) ? number(key) : fallback;
}
bool Config::boolean(const std::string& key, bool fallback) const {
  return has(key) ? boolean(key) : fallback;
}
std::string Config::string(const std::string& key, const std::string& fallback) const {
  return has(key) ? string(key) : fallback;
}

// In the form of lib/errors.ts.
std::string Config::shown() const {
  constexpr size_t kMostBytes = 60;
  if (const bool* flag = if_boolean()) return *flag ? "true" : "false";
  if (const double* number = if_number()) {
    std::array<char, 32> digits{};
    const bool whole = *number == std::floor(*number) && std::abs(*number) < 1e15;
    std::snprintf(digits.data(), digits.size(), whole ? "%.0f" : "%.15g", *number);
    return digits.data();
  }
  if (const std::string* text = if_string()) {
    std::string out = "\"";
    for (char c : text->substr(0, text->size() > kMostBytes ? kMostBytes - 3 : kMostBytes)) {
      if (c == '"' || c == '\\') out += '\\';
      out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
    return out + (text->size() > kMostBytes ? "...\"" : "\"");
  }
  if (const Array* array = if_array()) return "an array of length " + std::to_string(array->size());
  return kind();
}

const char* Config::kind() const {
  static constexpr const char* kNames[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
  return kNames[value_.index()];
}

}  // namespace st

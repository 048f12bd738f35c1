{
  "targets": [
    {
      "target_name": "sentence_torch",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build/Release/sentence_torch.node"],
          "action": ["node", "install/build.mjs", "--force"]
        }
      ]
    }
  ]
}

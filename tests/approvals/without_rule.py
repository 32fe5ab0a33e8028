"""The writes that were decided to need no approval rule, by the reason."""

from __future__ import annotations

WITHOUT_RULE = {
    "adds something that affects nothing that exists": """
        BatchAddDeviceGroupRelations BatchAddThingTopo BatchBindDeviceToEdgeInstanceWithDriver BatchCheckDeviceNames
        BatchRegisterDevice BatchRegisterDeviceWithApplyId BindDriverToEdgeInstance BindGatewayToEdgeInstance
        CopyThingModel CreateConsumerGroup CreateConsumerGroupSubscribeRelation CreateDataSourceItem CreateDeviceGroup
        CreateEdgeInstance CreateOTAFirmware CreateOTAModule CreateProduct CreateProductTags CreateProductTopic CreateRule
        CreateRuleAction CreateSubscribeRelation CreateThingModel CreateThingScript CreateTopicRouteTable
        GenerateDeviceNameListURL GenerateOTAUploadURL NotifyAddThingTopo RegisterDevice SubscribeTopic
    """,
    "changes a description, which devices do not notice": """
        BatchUpdateDeviceNickname DeleteDeviceProp DeleteProductTags SaveDeviceProp SetDeviceGroupTags UpdateConsumerGroup
        UpdateDeviceGroup UpdateEdgeInstance UpdateOTAModule UpdateProduct UpdateProductTags
    """,
    "is undone by the opposite operation": """
        BatchDeleteDeviceGroupRelations BatchUnbindDeviceFromEdgeInstance CancelReleaseProduct
        DisableThing EnableThing ReleaseProduct RemoveThingTopo StartRule UnbindDriverFromEdgeInstance
        UpdateProductFilterConfig UpdateProductTopic
    """,
    "stops or resumes what an approved batch started": """
        CancelOTAStrategyByJob CancelOTATaskByDevice CancelOTATaskByJob ConfirmOTATask ReupgradeOTATask
    """,
    "concerns one edge instance, and takes effect or is repeated by a deployment": """
        BatchClearEdgeInstanceDeviceConfig BatchSetEdgeInstanceDeviceConfig ClearEdgeInstanceDriverConfigs
        CloseEdgeInstanceDeployment CreateEdgeInstanceDeployment SetEdgeInstanceDriverConfigs
    """,
    "concerns a thing model, whose published versions are kept": """
        DeleteThingModel ImportThingModelTsl PublishThingModel UpdateThingModel UpdateThingScript
    """,
    "deletes or resets one thing, and devices and their data stay": """
        DeleteClientIds DeleteDeviceDistributeJob DeleteDeviceFile DeleteDeviceGroup DeleteOTAFirmware DeleteOTAModule
        ResetThing TransformClientId
    """,
}
